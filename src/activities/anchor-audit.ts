/** The audit log's heads, signed, outside the database: in a file, and in the result of the workflow that asks. */
import { requireAnchored } from '../billing/audit-witness.js';
import type { AnchorOutput } from '../contracts/activities.js';
import { invariant } from '../domain/failure.js';
import { writeAnchors } from '../storage/audit-anchor-file.js';
import { loadSigner } from '../storage/audit-keys.js';
import type { AuditStore, Checkpoint } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';

export function anchorAudit({ storage, settings, now }: ActivityDependencies) {
  return async (lastResult: AnchorOutput['lastCheckpoint'] = null): Promise<AnchorOutput> =>
    heartbeating(
      () => null,
      async () => {
        const { audit } = storage;
        const file = settings.audit?.anchorFile ?? null;
        await requireAnchored(storage, { anchorFile: file, lastResult });
        const blocks = await audit.seal();
        const signer = settings.audit === undefined ? null : await loadSigner(settings.audit);
        const made = signer === null ? [] : await audit.sign(signer, now());
        const written = file === null ? null : await writeAnchors(audit, file);
        return {
          blocks: blocks.length,
          lastCheckpoint: inShort(await lastOf(audit, made)),
          checkpoints: made.length,
          written,
        };
      },
    );
}

/** Also where none is new: the result says what there is. */
async function lastOf(audit: AuditStore, made: readonly Checkpoint[]): Promise<Checkpoint | null> {
  const last = made.at(-1);
  if (last !== undefined) return last;
  let found: Checkpoint | null = null;
  for (
    let page = await audit.checkpoints(0, pageSize);
    page.length > 0;
    page = await audit.checkpoints(found.checkpoint, pageSize)
  ) {
    found = page.at(-1) ?? found;
    invariant(found !== null, 'a page that is not empty has a last checkpoint');
  }
  return found;
}

function inShort(checkpoint: Checkpoint | null): AnchorOutput['lastCheckpoint'] {
  if (checkpoint === null) return null;
  const { checkpoint: number, hash, previousHash, at, block, keyId, signature } = checkpoint;
  return { checkpoint: number, hash, previousHash, at, block, keyId, signature };
}

const pageSize = 100;
