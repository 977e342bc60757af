/**
 * How far an import has come, in a small file in the user's state folder: one for each file and API. It saves work only:
 * event ids are stable, so rows sent twice are duplicates.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isObject } from '../api-client.js';

export interface ImportState {
  readonly file: string;
  readonly url: string;
  readonly fingerprint: string;
  /** Identifies the options that decide what is sent for a row, and where the import began. */
  readonly mapping: string;
  /** All rows up to this one were answered by the API. */
  readonly acknowledgedRow: number;
  readonly finished: boolean;
}

export interface StateFile {
  readonly path: string;
  /** null: there is none, or it cannot be read; then everything is sent. */
  load(): Promise<ImportState | null>;
  /** Replaces the file in one step, so that a crash leaves the old one or the new one. */
  save(state: ImportState): Promise<void>;
}

/** `RECKONER_STATE_DIR`, or `reckoner` in the user's state folder. */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const own = env['RECKONER_STATE_DIR'];
  if (own !== undefined && own !== '') return own;
  const base = env['XDG_STATE_HOME'];
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.local', 'state'), 'reckoner');
}

export async function stateFileFor(folder: string, file: string, url: string): Promise<StateFile> {
  const name = shortHash([await realpath(file), url]);
  const path = join(folder, 'imports', `${name}.json`);
  return {
    path,
    load: async () => readState(await readFile(path, 'utf8').catch(() => '')),
    save: async (state) => {
      await mkdir(dirname(path), { recursive: true });
      const draft = `${path}.${process.pid}.tmp`;
      await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`);
      await rename(draft, path);
    },
  };
}

export function shortHash(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

function readState(text: string): ImportState | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(parsed)) return null;
  const { file, url, fingerprint, mapping, acknowledgedRow, finished } = parsed;
  const isState =
    typeof file === 'string' &&
    typeof url === 'string' &&
    typeof fingerprint === 'string' &&
    typeof mapping === 'string' &&
    Number.isSafeInteger(acknowledgedRow) &&
    typeof finished === 'boolean';
  return isState ? { file, url, fingerprint, mapping, acknowledgedRow: Number(acknowledgedRow), finished } : null;
}
