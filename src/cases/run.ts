/** Runs the cases of files and folders: a line for each, the differences where one fails, the count at the end. */
import type { StartEngine } from './engine.js';
import { CaseFormatError } from './format.js';
import { findCaseFiles, readCaseFile } from './read-cases.js';
import { runCase } from './run-case.js';

export interface CasesSummary {
  readonly passed: number;
  readonly failed: number;
}

export interface CasesRun {
  readonly start: StartEngine;
  /** How many cases run at a time: a case on the running program mostly waits. */
  readonly atOnce: number;
  readonly print: (line: string) => void;
}

/**
 * Prints in the order of the files; a file that is no case counts as failed.
 *
 * @throws when a path does not exist
 */
export async function runCases(paths: readonly string[], { start, atOnce, print }: CasesRun): Promise<CasesSummary> {
  let passed = 0;
  let failed = 0;
  const files = await findCaseFiles(paths);
  const running = new Map<string, ReturnType<typeof runFile>>();
  for (const [index, path] of files.entries()) {
    for (const next of files.slice(index, index + atOnce)) {
      if (!running.has(next)) running.set(next, runFile(next, start));
    }
    const { name, problems } = await (running.get(path) ?? runFile(path, start));
    if (problems.length === 0) {
      passed += 1;
      print(`ok    ${name}`);
    } else {
      failed += 1;
      print(`FAIL  ${name}`);
      for (const line of [path, ...problems]) print(`      ${line}`);
    }
  }
  print(summaryLine({ passed, failed }));
  return { passed, failed };
}

async function runFile(path: string, start: StartEngine): Promise<{ name: string; problems: readonly string[] }> {
  try {
    const billingCase = await readCaseFile(path);
    const failure = await runCase(billingCase, start);
    if (failure === null) return { name: billingCase.name, problems: [] };
    const place = failure.step === null ? failure.what : `step ${failure.step}, ${failure.what}`;
    return { name: billingCase.name, problems: failure.differences.map((difference) => `${place}: ${difference}`) };
  } catch (error) {
    if (error instanceof CaseFormatError) return { name: path, problems: error.problems };
    throw error;
  }
}

function summaryLine({ passed, failed }: CasesSummary): string {
  const count = passed + failed;
  const cases = `${count} ${count === 1 ? 'case' : 'cases'}`;
  if (count === 0) return 'no cases found';
  return failed === 0 ? `${cases}, all passed` : `${cases}, ${passed} passed, ${failed} failed`;
}
