/**
 * `npm test`: everything. Gets what is missing first; what cannot be had is a failure, never a skip. Its last line is
 * `N passed, N failed`.
 *
 *     npm test -- test/domain -t "tiers"     only these tests, without types, lint and format (arguments go to Jest)
 */
import { ensureBuilt } from './lib/build.mjs';
import { checkStatically, conclude, runJest } from './lib/checks.mjs';
import { done, main, red, say, Stop } from './lib/console.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { ensureTemporalCli } from './lib/temporal-server.mjs';
import { findTimeSkippingServer } from './lib/time-skipping-server.mjs';

async function prepare() {
  await ensureInstalled();
  await ensureBuilt();
  const { executable, source } = await ensureTemporalCli();
  done(`Temporal CLI ${source}: ${executable}`);
  done(`time-skipping test server: ${await findTimeSkippingServer({ log: done })}`);
}

main(async () => {
  try {
    await prepare();
  } catch (error) {
    say(`${red('✗')} ${error instanceof Stop ? error.message : error.stack}`);
    conclude([{ passed: 0, failed: 1 }]);
  }
  const jestArguments = process.argv.slice(2);
  const counts = jestArguments.length === 0 ? [await checkStatically()] : [];
  conclude([...counts, await runJest(jestArguments)]);
});
