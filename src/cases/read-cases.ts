/** Reads case files. Numbers that a float would not hold keep their text, as they do in the body of a request. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LosslessNumber, parse } from 'lossless-json';
import { CaseFormatError, checkCase } from './format.js';
import type { BillingCase } from './format.js';

/** JSON files of the paths, folders with everything below them, in order of their names; schemas are no cases. */
export async function findCaseFiles(paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) {
      found.push(path);
      continue;
    }
    const names = await readdir(path, { recursive: true });
    found.push(
      ...names
        .filter((name) => name.endsWith('.json') && !name.endsWith('.schema.json'))
        .sort()
        .map((name) => join(path, name)),
    );
  }
  return [...new Set(found)];
}

/** @throws CaseFormatError when the file is no JSON or no case */
export async function readCaseFile(path: string): Promise<BillingCase> {
  return checkCase(parseJson(await readFile(path, 'utf8')));
}

function parseJson(text: string): unknown {
  try {
    return parse(text, undefined, { parseNumber });
  } catch (error) {
    throw new CaseFormatError([`the file is not JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

function parseNumber(text: string): number | LosslessNumber {
  const value = Number(text);
  return String(value) === text ? value : new LosslessNumber(text);
}
