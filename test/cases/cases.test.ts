/** All of the project's billing cases, on the domain alone. `npm run cases -- test/cases` runs the same files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PureEngine } from '../../src/cases/pure-engine.js';
import { findCaseFiles, readCaseFile } from '../../src/cases/read-cases.js';
import { runCase } from '../../src/cases/run-case.js';

const folder = __dirname;
const schema = JSON.parse(readFileSync(join(folder, 'case.schema.json'), 'utf8')) as object;
const followsSchema = new Ajv2020({ allErrors: true }).compile(schema);

test('every case comes out as expected, follows the schema, and says where it comes from', async () => {
  const files = await findCaseFiles([folder]);
  expect(files.length).toBeGreaterThan(50);
  const problems: string[] = [];
  const names = new Map<string, string>();
  for (const file of files) {
    const billingCase = await readCaseFile(file);
    const failure = await runCase(billingCase, (facts) => new PureEngine(facts));
    if (failure !== null)
      problems.push(`${file}: step ${failure.step ?? '–'}, ${failure.what}: ${failure.differences.join('; ')}`);
    if (!followsSchema(JSON.parse(readFileSync(file, 'utf8'))))
      problems.push(`${file}: ${JSON.stringify(followsSchema.errors)}`);
    if (billingCase.source === undefined || billingCase.note === undefined)
      problems.push(`${file}: source and note are missing`);
    const other = names.get(billingCase.name);
    if (other !== undefined) problems.push(`${file}: has the name of ${other}`);
    names.set(billingCase.name, file);
  }
  expect(problems).toEqual([]);
});

/** Rules of docs/RULES that this version carries out; each must have a case that names it. */
const coveredRules = [
  1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 36, 37, 38, 39, 40,
  41, 42,
];

test('every rule of this version has a case that names it', async () => {
  const sources = await Promise.all(
    (await findCaseFiles([folder])).map(async (file) => (await readCaseFile(file)).source ?? ''),
  );
  const named = new Set(sources.flatMap((source) => rulesIn(source)));
  expect(coveredRules.filter((rule) => !named.has(rule))).toEqual([]);
});

/** The numbers after RULES: `RULES 7, 26, DESIGN 2 (10)` gives 7 and 26. */
function rulesIn(source: string): readonly number[] {
  const list = /RULES ((?:\d+(?:, )?)+)/.exec(source)?.[1] ?? '';
  return list.split(', ').filter(Boolean).map(Number);
}
