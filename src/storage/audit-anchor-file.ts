/** The anchor file: a line a checkpoint, outside the database, only ever appended to. */
import { open } from 'node:fs/promises';
import { type Anchor, anchorLine, parseAnchor } from '../domain/audit/anchors.js';
import type { AuditStore } from './types-audit.js';

type FileHandle = Awaited<ReturnType<typeof open>>;
const pageSize = 100;

/** The last checkpoint in the file; null: it has none, or there is no such file here. */
export async function lastAnchor(file: string): Promise<Anchor | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return (await readEnd(handle)).last;
  } finally {
    await handle.close();
  }
}

/**
 * Appends a line for each checkpoint behind the file's last one, so that what a crash has kept from it is made up for; on disk when
 * it resolves.
 * @returns how many lines
 */
export async function writeAnchors(audit: AuditStore, file: string): Promise<number> {
  const handle = await open(file, 'a+');
  try {
    const { last, isWhole } = await readEnd(handle);
    const keys = new Map((await audit.keys()).map(({ keyId, publicKey }) => [keyId, publicKey]));
    // A line that a crash has cut off stays where it is: the file is only ever appended to.
    if (!isWhole) await handle.appendFile('\n');
    let written = 0;
    for (let after = last?.checkpoint ?? 0; ;) {
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

/** Its last checkpoint, and whether the file ends with the end of a line. */
async function readEnd(handle: FileHandle): Promise<{ readonly last: Anchor | null; readonly isWhole: boolean }> {
  let last: Anchor | null = null;
  for await (const line of handle.readLines({ autoClose: false, start: 0 })) {
    const anchor = parseAnchor(line);
    if (anchor !== null && anchor.checkpoint > (last?.checkpoint ?? 0)) last = anchor;
  }
  const { size } = await handle.stat();
  if (size === 0) return { last, isWhole: true };
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return { last, isWhole: buffer.toString() === '\n' };
}
