/** The chains of the audit log, entry by entry, each with the rows that it speaks of. */
import type pg from 'pg';
import type { AuditCounts, AuditProblem, Tampering } from '../domain/audit/findings.js';
import { changeText, entryText } from '../domain/audit/texts.js';
import { sha256 } from './audit-hashes.js';
import { readEntries, type StoredEntry } from './audit-log.js';
import { digestsOf, type FoundRow, type Layouts, layoutKey } from './audit-rows.js';
import { type AuditChange, customerScope } from './types-audit.js';

/** Entries read at once. */
const pageSize = 500;

export interface ChainReading {
  readonly counts: Pick<AuditCounts, 'entries' | 'rows' | 'genesisRows' | 'erasedRows'>;
  readonly problems: readonly AuditProblem[];
}

/** After every page what was read so far, and what is wrong in it. @param customerId only this one's chain */
export async function* readChains(
  client: pg.ClientBase,
  layouts: Layouts,
  customerId?: string,
): AsyncGenerator<ChainReading> {
  // Rows are looked up by key, however the tables' statistics are.
  await client.query(
    'SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off',
  );
  try {
    yield* pagesOf(client, new ChainReader(client, layouts), customerId);
  } finally {
    await client.query('RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin');
  }
}

async function* pagesOf(
  client: pg.ClientBase,
  reader: ChainReader,
  customerId: string | undefined,
): AsyncGenerator<ChainReading> {
  const only = customerId === undefined ? null : customerScope(customerId);
  let last: Pick<StoredEntry, 'scope' | 'sequence'> = { scope: '', sequence: 0 };
  for (;;) {
    const page = await readEntries(
      client,
      'WHERE (e.scope, e.sequence) > ($1, $2) AND ($3::text IS NULL OR e.scope = $3) ORDER BY e.scope, e.sequence LIMIT $4',
      [last.scope, last.sequence, only, pageSize],
    );
    const problems = await reader.read(page);
    yield { counts: { ...reader.counts }, problems };
    const end = page.at(-1);
    if (end === undefined || page.length < pageSize) return;
    last = end;
  }
}

type FoundRows = ReadonlyMap<string, ReadonlyMap<string, FoundRow>>;

class ChainReader {
  readonly counts = { entries: 0, rows: 0, genesisRows: 0, erasedRows: 0 };
  private scope = '';
  private sequence = 0;
  private hash = '';

  constructor(
    private readonly client: pg.ClientBase,
    private readonly layouts: Layouts,
  ) {}

  async read(entries: readonly StoredEntry[]): Promise<readonly AuditProblem[]> {
    const found = await this.rowsOf(entries);
    return entries.flatMap((entry) => {
      const problem = this.readEntry(entry);
      // What follows is held against what stands here, right or wrong.
      [this.scope, this.sequence, this.hash] = [entry.scope, entry.sequence, entry.hash];
      return [...(problem === null ? [] : [problem]), ...this.compareRows(entry, found)];
    });
  }

  private readEntry(entry: StoredEntry): AuditProblem | null {
    const { scope, sequence } = entry;
    if (scope !== this.scope) [this.scope, this.sequence, this.hash] = [scope, 0, ''];
    const expected = this.sequence + 1;
    if (sequence !== expected) {
      return problemOf(entry, 'entry_missing', {
        sequence: expected,
        detail: `The chain goes on with entry ${sequence}; ${expected} is not there.`,
      });
    }
    const ofChanges = changesProblem(entry);
    if (ofChanges !== null) return ofChanges;
    const changes = entry.changes.map(({ digest }) => digest);
    const isWholeEntry = entry.changeIds.join() === entry.changes.map(({ changeId }) => changeId).join();
    if (!isWholeEntry || entry.previousHash !== this.hash || sha256(entryText({ ...entry, changes })) !== entry.hash) {
      return problemOf(entry, 'entry_changed', {
        detail:
          entry.previousHash === this.hash
            ? 'Its hash is not that of its content.'
            : 'It does not follow on the entry before it.',
      });
    }
    this.counts.entries += 1;
    return null;
  }

  /** Of the changes that are what they were: keys of others may be anything. */
  private async rowsOf(entries: readonly StoredEntry[]): Promise<FoundRows> {
    const keys = new Map<string, string[]>();
    for (const { scope, changes } of entries) {
      for (const change of changes) {
        if (!this.layouts.has(layoutOf(change)) || !isWhole(scope, change)) continue;
        const known = keys.get(layoutOf(change)) ?? [];
        for (const { key } of change.rows) known.push(key);
        keys.set(layoutOf(change), known);
      }
    }
    const found = new Map<string, ReadonlyMap<string, FoundRow>>();
    for (const [key, rows] of keys) {
      const layout = this.layouts.get(key);
      if (layout !== undefined) found.set(key, await digestsOf(this.client, layout, rows));
    }
    return found;
  }

  private compareRows(entry: StoredEntry, found: FoundRows): readonly AuditProblem[] {
    // A change that is not what it was has been named, and speaks of anything.
    return entry.changes
      .filter((change) => isWhole(entry.scope, change))
      .flatMap((change) => {
        if (this.layouts.has(layoutOf(change))) {
          return change.rows.flatMap(({ key, digest }) => this.compareRow(entry, change, { key, digest, found }));
        }
        const detail = `The log does not know version ${change.layout} of the layout of ${change.table}.`;
        const key = JSON.stringify([change.table, String(change.layout)]);
        return [{ ...problemOf(entry, 'row_missing', { detail, key }), table: 'audit_layouts' }];
      });
  }

  private compareRow(
    entry: StoredEntry,
    change: AuditChange,
    { key, digest, found }: { readonly key: string; readonly digest: string; readonly found: FoundRows },
  ): readonly AuditProblem[] {
    const row = found.get(layoutOf(change))?.get(key);
    const problem = (what: Tampering, detail: string): readonly AuditProblem[] => [
      { ...problemOf(entry, what, { detail }), table: change.table, key },
    ];
    if (row === undefined) return problem('row_missing', 'The row is not in its table any more.');
    if (row.digest !== digest) return problem('row_changed', 'The row is not what was written.');
    if (row.personalDiffers) {
      const detail = row.isErased
        ? 'Its salt is erased, and yet there is personal data: it is not what was written.'
        : 'The personal data is not what was written.';
      return problem('personal_data_changed', detail);
    }
    this.counts.rows += 1;
    if (change.kind === 'genesis') this.counts.genesisRows += 1;
    if (row.isErased) this.counts.erasedRows += 1;
    return [];
  }
}

const layoutOf = ({ table, layout }: AuditChange): string => layoutKey(table, layout);

function isWhole(scope: string, change: AuditChange): boolean {
  const rowKeys = change.rows.map(({ key }) => key);
  const rowDigests = change.rows.map(({ digest }) => digest);
  return sha256(changeText({ ...change, scope, rowKeys, rowDigests })) === change.digest;
}

function changesProblem(entry: StoredEntry): AuditProblem | null {
  const has = new Set(entry.changes.map(({ changeId }) => changeId));
  const missing = entry.changeIds.find((id) => !has.has(id));
  if (missing !== undefined) return changeProblem(entry, missing, 'change_missing');
  const named = new Set(entry.changeIds);
  const extra = entry.changes.find(({ changeId }) => !named.has(changeId));
  if (extra !== undefined) return changeProblem(entry, extra.changeId, 'change_not_in_chain');
  const changed = entry.changes.find((change) => !isWhole(entry.scope, change));
  return changed === undefined ? null : changeProblem(entry, changed.changeId, 'change_changed');
}

const sentences = {
  change_missing: 'The entry names a change that is not there any more.',
  change_not_in_chain: 'The entry does not name this change.',
  change_changed: 'The digest of the change is not that of its content.',
} as const;

function changeProblem(entry: StoredEntry, id: string, what: keyof typeof sentences): AuditProblem {
  const problem = problemOf(entry, what, { detail: sentences[what], key: JSON.stringify([id]) });
  return { ...problem, table: 'audit_changes' };
}

function problemOf(
  { scope, sequence }: StoredEntry,
  what: Tampering,
  more: { readonly detail: string; readonly key?: string; readonly sequence?: number },
): AuditProblem {
  const at = more.sequence ?? sequence;
  return {
    what,
    table: 'audit_entries',
    key: more.key ?? JSON.stringify([scope, String(at)]),
    scope,
    sequence: at,
    detail: more.detail,
  };
}
