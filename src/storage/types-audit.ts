/** The audit log (ADR-017): what was written by whom, chained by hashes, sealed in blocks, signed, and verified. */
import type { AuditCounts, AuditProblem, NotYet } from '../domain/audit/findings.js';
import type { CheckpointContent, SignedHead } from '../domain/audit/texts.js';
import type { Instant, Position } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

/** Where what has no customer is chained. */
export const deploymentScope = 'deployment';
export const customerScope = (customerId: string): string => `customer/${customerId}`;

/** The rows of one table that a statement wrote. */
export interface AuditChange {
  readonly changeId: string;
  readonly table: string;
  readonly layout: number;
  readonly kind: 'insert' | 'genesis';
  readonly actor: string | null;
  /** Keys are JSON lists of texts, digests hex. */
  readonly rows: readonly { readonly key: string; readonly digest: string }[];
  readonly digest: string;
}

/** What one transaction did in one scope. */
export interface AuditEntry {
  readonly scope: string;
  readonly sequence: number;
  readonly at: Instant;
  readonly actor: string | null;
  readonly changes: readonly AuditChange[];
  readonly previousHash: string;
  readonly hash: string;
}

export interface AuditBlock {
  readonly block: number;
  readonly from: Position;
  readonly to: Position;
  readonly facts: number;
  readonly sealedAt: Instant;
  readonly hash: string;
}

export interface Checkpoint extends CheckpointContent {
  readonly at: Instant;
  readonly hash: string;
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** An Ed25519 key in the process; the private part never leaves it. */
export interface AuditSigner {
  readonly keyId: string;
  /** PEM. */
  readonly publicKey: string;
  /** Base64. */
  sign(text: string): string;
}

export interface AuditKey {
  readonly keyId: string;
  readonly publicKey: string;
  readonly addedAt: Instant;
}

export type AuditStage = 'chains' | 'rows' | 'blocks' | 'checkpoints';
export type VerificationStep =
  | { readonly kind: 'progress'; readonly stage: AuditStage; readonly counts: AuditCounts }
  | {
      readonly kind: 'result';
      readonly verified: boolean;
      /** The first. */
      readonly problem: AuditProblem | null;
      /** In the order in which they were found, at most `problemsMax`. */
      readonly problems: readonly AuditProblem[];
      readonly counts: AuditCounts;
      readonly notYet: NotYet;
      /** The ids of the keys that signed. */
      readonly keyIds: readonly string[];
    };

export interface VerifyOptions {
  /** Only this customer's chain and the rows in it. */
  readonly customerId?: string;
  /** Ids of the keys that may sign; left out: every key that the log knows. */
  readonly trustedKeys?: readonly string[];
  /** The verification ends when it has found so many; 20 by default. */
  readonly problemsMax?: number;
}

/** What a line outside the database says there must be. */
export type AnchoredState = Pick<Checkpoint, 'checkpoint' | 'hash' | 'block'> & {
  readonly heads: readonly SignedHead[];
};

export interface AuditStore {
  /** The newest first. Of an invoice: what was written for it and its period, adjustments of its events included. */
  list(
    filter: { readonly customerId?: string; readonly invoiceId?: string },
    page: PageRequest,
  ): Promise<Page<AuditEntry>>;
  find(scope: string, sequence: number): Promise<AuditEntry | null>;
  /** Seals the facts of the usage ledger behind the safe horizon that are in no block yet; answers the new blocks. */
  seal(options?: { readonly factsMax?: number }): Promise<readonly AuditBlock[]>;
  /**
   * Signs the heads that moved since the last checkpoint, at most so many a checkpoint; answers the new checkpoints. Where none
   * has moved and no block came, there is none.
   */
  sign(signer: AuditSigner, at: Instant, options?: { readonly headsMax?: number }): Promise<readonly Checkpoint[]>;
  /** Behind this one, in order. */
  checkpoints(after: number, limit: number): Promise<readonly Checkpoint[]>;
  keys(): Promise<readonly AuditKey[]>;
  /** Reads everything at one snapshot, problems or not; it ends early only at `problemsMax`. */
  verify(options?: VerifyOptions): AsyncIterable<VerificationStep>;
  /** Holds the database against what was written outside of it; null: it has all of that. */
  checkAnchor(anchored: AnchoredState): Promise<AuditProblem | null>;
}
