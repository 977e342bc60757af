/**
 * The cases of price models on Postgres: what the pure engine says, gate, corrections, verification and reconciliation say
 * as well.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkCase } from '../../src/cases/format.js';
import { runCase } from '../../src/cases/run-case.js';
import { ActivityCaseEngine } from './case-engine.js';

const folder = join(__dirname, '../cases');
/** What a price book is refused for is tested there. */
const ofParsing = /refus|needs-a-meter|one-pooling/;
const files = ['package', 'terms', 'match', 'percentage', 'fees', 'commitment', 'currencies', 'rollout', 'credits']
  .flatMap((group) => readdirSync(join(folder, group)).map((file) => `${group}/${file}`))
  .filter((file) => !ofParsing.test(file));

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
