/** What a verification of the audit log says. */

/** What is wrong with a row, in the order in which they would be looked for. */
export type Tampering =
  | 'row_missing'
  | 'row_changed'
  | 'row_not_in_log'
  | 'row_twice_in_log'
  | 'personal_data_changed'
  | 'change_missing'
  | 'change_changed'
  | 'change_not_in_chain'
  | 'entry_missing'
  | 'entry_changed'
  | 'entries_cut'
  | 'block_missing'
  | 'block_changed'
  | 'blocks_cut'
  | 'fact_missing'
  | 'fact_changed'
  | 'fact_not_in_block'
  | 'checkpoint_missing'
  | 'checkpoint_changed'
  | 'signature_wrong'
  | 'key_unknown'
  | 'guard_missing';

/** The first row that is not what it was. */
export interface AuditProblem {
  readonly what: Tampering;
  readonly table: string;
  /** The row's key, as far as it is known. */
  readonly key: string | null;
  readonly scope: string | null;
  /** In the scope's chain; of blocks and checkpoints their number. */
  readonly sequence: number | null;
  /** A sentence. */
  readonly detail: string;
}

export interface AuditCounts {
  readonly entries: number;
  readonly rows: number;
  /** Of the rows, those that were there before their table was audited. */
  readonly genesisRows: number;
  /** Of the rows, those whose personal data was erased. */
  readonly erasedRows: number;
  readonly blocks: number;
  readonly facts: number;
  readonly checkpoints: number;
}

export const noCounts: AuditCounts = {
  entries: 0,
  rows: 0,
  genesisRows: 0,
  erasedRows: 0,
  blocks: 0,
  facts: 0,
  checkpoints: 0,
};

/** What no hash covers yet: facts behind the last block, entries behind the last signed heads. */
export interface NotYet {
  readonly facts: number;
  readonly entries: number;
}
