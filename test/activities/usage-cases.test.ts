/** The cases of usage on Postgres: what the pure engine says, generated SQL, gate and corrections say as well. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkCase } from '../../src/cases/format.js';
import { runCase } from '../../src/cases/run-case.js';
import { ActivityCaseEngine } from './case-engine.js';

const folder = join(__dirname, '../cases/usage');
/** What ingest refuses is tested there. */
const ofIngest = /unreadable|refused|lower-index|identity|read-from-the-text|truncated|compare-by-value|unknown-event/;
const files = readdirSync(folder).filter((file) => !ofIngest.test(file));

test.each(files)('%s', async (file) => {
  const billingCase = checkCase(JSON.parse(readFileSync(join(folder, file), 'utf8')));
  const engines: ActivityCaseEngine[] = [];
  const failure = await runCase(billingCase, async (facts) => {
    const engine = await ActivityCaseEngine.start(facts);
    engines.push(engine);
    return engine;
  });
  for (const engine of engines) await engine.close();
  expect(failure).toBeNull();
});
