/** The audit log's heads, signed, outside the database: in a file, and in the result of the workflow that asks. */
import { open } from 'node:fs/promises';
import type { AnchorOutput } from '../contracts/activities.js';
import { anchorLine, parseAnchor } from '../domain/audit/anchors.js';
import { invariant } from '../domain/failure.js';
import { loadSigner } from '../storage/audit-keys.js';
import type { AuditStore, Checkpoint } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';

export function anchorAudit({ storage, settings, now }: ActivityDependencies) {
  return async (): Promise<AnchorOutput> =>
    heartbeating(
      () => null,
      async () => {
        const { audit } = storage;
        const blocks = await audit.seal();
        const signer = settings.audit === undefined ? null : await loadSigner(settings.audit);
        const made = signer === null ? [] : await audit.sign(signer, now());
        const file = settings.audit?.anchorFile ?? null;
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

/**
 * Appends a line for each checkpoint behind the file's last one, so that what a crash has kept from it is made up for; on disk when
 * it resolves.
 * @returns how many lines
 */
async function writeAnchors(audit: AuditStore, file: string): Promise<number> {
  const handle = await open(file, 'a+');
  try {
    const { last, isWhole } = await lastLineOf(handle);
    const keys = new Map((await audit.keys()).map(({ keyId, publicKey }) => [keyId, publicKey]));
    // A line that a crash has cut off stays where it is: the file is only ever appended to.
    if (!isWhole) await handle.appendFile('\n');
    let written = 0;
    for (let after = last; ;) {
      const page = await audit.checkpoints(after, pageSize);
      for (const checkpoint of page) {
        await handle.appendFile(`${anchorLine({ ...checkpoint, publicKey: keys.get(checkpoint.keyId) ?? '' })}\n`);
        after = checkpoint.checkpoint;
        written += 1;
      }
      if (page.length < pageSize) break;
    }
    await handle.sync();
    return written;
  } finally {
    await handle.close();
  }
}

/** The number of the last checkpoint in the file (0: none), and whether the file ends with the end of a line. */
async function lastLineOf(
  handle: Awaited<ReturnType<typeof open>>,
): Promise<{ readonly last: number; readonly isWhole: boolean }> {
  let last = 0;
  for await (const line of handle.readLines({ autoClose: false, start: 0 })) {
    last = Math.max(last, parseAnchor(line)?.checkpoint ?? 0);
  }
  const { size } = await handle.stat();
  if (size === 0) return { last, isWhole: true };
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return { last, isWhole: buffer.toString() === '\n' };
}
