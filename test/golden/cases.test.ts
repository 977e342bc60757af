/**
 * What every billing case comes to, with every charge's explanation, is what it came to before: a change of the engine that no case
 * speaks of by name is seen here. Where a change is meant: `UPDATE_GOLDEN=yes npx jest --selectProjects unit test/golden`, and
 * say in the commit why old documents may differ.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { CaseEngine } from '../../src/cases/engine.js';
import { PureEngine } from '../../src/cases/pure-engine.js';
import { readCaseFile } from '../../src/cases/read-cases.js';
import { runCase } from '../../src/cases/run-case.js';

const golden = join(__dirname, 'cases.json');
const folder = join(__dirname, '..', 'cases');
const isUpdate = process.env['UPDATE_GOLDEN'] === 'yes';
const known = JSON.parse(readFileSync(golden, 'utf8')) as Readonly<Record<string, string>>;
const found: Record<string, string> = {};

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /[\\/].*\.json$/.test(name))
  .map((name) => join(folder, name))
  .sort();
const nameOf = (file: string): string => relative(folder, file).replaceAll('\\', '/');

/** Every document that the case makes, when it makes it. */
async function documentsOf(file: string): Promise<string> {
  const documents: unknown[] = [];
  const failure = await runCase(await readCaseFile(file), (facts) => {
    const engine = new PureEngine(facts);
    const after = (name: string | symbol, period: unknown): void => {
      if (name === 'closePeriod') documents.push(engine.invoice(period as string));
      if (name === 'reRate') documents.push(engine.corrections((period as { period: string }).period));
    };
    return new Proxy<CaseEngine>(engine, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return (...parameters: unknown[]): unknown => {
          const answer: unknown = Reflect.apply(method, target, parameters);
          after(name, parameters[0]);
          return answer;
        };
      },
    });
  });
  if (failure !== null) throw new Error(JSON.stringify(failure));
  return JSON.stringify(documents, null, 1);
}

test.each(files.map((file) => [nameOf(file), file]))('%s', async (name, file) => {
  const documents = await documentsOf(file);
  found[name] = createHash('sha256').update(documents).digest('hex').slice(0, 16);
  if (!isUpdate && found[name] !== known[name])
    throw new Error(`${name} comes to something else than it did (cases.json); now it is\n${documents}`);
});

afterAll(() => {
  if (isUpdate) writeFileSync(golden, `${JSON.stringify(found, null, 2)}\n`);
});

test('cases.json has the cases that there are', () => {
  if (!isUpdate) expect(Object.keys(known).sort()).toEqual(files.map(nameOf).sort());
});
