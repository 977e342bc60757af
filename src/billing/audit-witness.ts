/** Before anything is signed: the database must still have what was anchored outside of it. */
import { DomainFailure } from '../domain/failure.js';
import { lastAnchor } from '../storage/audit-anchor-file.js';
import type { AnchoredState, Storage } from '../storage/types.js';

/** What stands outside the database, as of the last anchoring. */
export interface AuditWitnesses {
  /** null: none is configured. */
  readonly anchorFile: string | null;
  /** What the last run of the workflow has answered; null: it is not known. */
  readonly lastResult: Pick<AnchoredState, 'checkpoint' | 'hash' | 'block'> | null;
}

const code = 'AUDIT_ANCHOR_DIFFERS';

/**
 * A log that was cut or rewritten behind its last anchor would be signed anew and look whole. It becomes a finding, and nothing is
 * signed or anchored over it.
 * @throws DomainFailure AUDIT_ANCHOR_DIFFERS
 */
export async function requireAnchored(
  { audit, findings }: Pick<Storage, 'audit' | 'findings'>,
  { anchorFile, lastResult }: AuditWitnesses,
): Promise<void> {
  const inFile = anchorFile === null ? null : await lastAnchor(anchorFile);
  const witnesses = [
    ...(inFile === null ? [] : [{ by: 'anchor file', anchored: inFile }]),
    ...(lastResult === null ? [] : [{ by: 'workflow result', anchored: { ...lastResult, heads: [] } }]),
  ];
  for (const { by, anchored } of witnesses) {
    const problem = await audit.checkAnchor(anchored);
    if (problem === null) continue;
    const { checkpoint, hash } = anchored;
    const detail =
      `The database is not what was anchored (${by}, checkpoint ${checkpoint}): ${problem.what} in ${problem.table}. ${problem.detail} ` +
      'Nothing is signed or anchored over it. Where it was restored from a backup, accept this finding and name a new anchor file.';
    const subject = { witness: by, checkpoint, hash };
    const findingId = await findings.store({ code, customerId: null, period: null, subject, detail });
    // A file whose next line would not follow stays refused: it is evidence, and another one is named.
    const isAccepted = (await findings.find(findingId))?.resolution?.resolution === 'accepted';
    if (by === 'anchor file' || !isAccepted) throw new DomainFailure(code, detail);
  }
}
