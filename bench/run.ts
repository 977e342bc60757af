/**
 * Measures the program's speed as ratios, and prints them as Markdown for docs/PERFORMANCE.md. Starts a Postgres and APIs of its own.
 *
 *     npm run bench                            every row
 *     npm run bench -- --row closing           one row; may be repeated
 *     npm run bench -- --rounds 11             instead of 5
 *     npm run bench -- --stored 400000         events in a table that counts as large, instead of 4,000,000
 *
 * Exit code: 0 every target met, 1 a target missed or a failure, 2 wrong usage.
 */
import { parseArgs } from 'node:util';
import { startCluster } from './lib/cluster.js';
import type { Cluster } from './lib/cluster.js';
import { describeMachine, loadText } from './lib/machine.js';
import { misses, report } from './lib/report.js';
import type { Result } from './lib/report.js';
import { audit } from './rows/audit.js';
import { catalogue } from './rows/catalogue.js';
import { close1000 } from './rows/close-1000.js';
import { close10000, close744 } from './rows/close-many.js';
import { closing, closingOutside } from './rows/closing.js';
import { correction, reRating } from './rows/corrections.js';
import { duplicates } from './rows/duplicates.js';
import { duplicateFlood } from './rows/flood.js';
import { gates } from './rows/gates.js';
import { batchesOf100, batchesOf1000, singleEvents } from './rows/ingest.js';
import { memory, stream } from './rows/memory.js';
import { rating } from './rows/rating.js';
import { ratingStored } from './rows/rating-stored.js';
import { reconciliation } from './rows/reconciliation.js';
import { relay } from './rows/relay.js';
import type { Row } from './rows/row.js';
import { tableSize } from './rows/table-size.js';
import { trialBalance } from './rows/trial-balance.js';
import { visible } from './rows/visible.js';

const rows: readonly Row[] = [
  batchesOf1000,
  batchesOf100,
  singleEvents,
  duplicates,
  duplicateFlood,
  tableSize,
  stream,
  rating,
  ratingStored,
  closing,
  closingOutside,
  catalogue,
  relay,
  visible,
  gates,
  correction,
  reRating,
  reconciliation,
  trialBalance,
  audit,
  close1000,
  close744,
  close10000,
  memory,
];
const roundsMin = 5;
const storedByDefault = 4_000_000;

interface Options {
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly stored: number;
}

class WrongUsage extends Error {}

function optionsFrom(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      row: { type: 'string', multiple: true },
      rounds: { type: 'string', default: String(roundsMin) },
      stored: { type: 'string', default: String(storedByDefault) },
    },
  });
  const unknown = values.row?.find((name) => !rows.some((row) => row.name === name));
  if (unknown !== undefined)
    throw new WrongUsage(`There is no row "${unknown}"; there are ${rows.map(({ name }) => name).join(', ')}.`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < roundsMin)
    throw new WrongUsage(`--rounds takes a number of at least ${roundsMin}.`);
  const stored = Number(values.stored);
  if (!Number.isInteger(stored) || stored <= 0 || stored % 4 !== 0)
    throw new WrongUsage('--stored takes a number of events that can be divided by four.');
  return { rows: rows.filter(({ name }) => values.row?.includes(name) ?? true), rounds, stored };
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Ctrl-C ends the processes this one has started, too. */
function stopOnSignal(cluster: Cluster): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say('stopping…');
      void cluster.stop().finally(() => process.exit(130));
    });
  }
}

async function measure({ rows: chosen, rounds, stored }: Options): Promise<boolean> {
  const loadBefore = loadText();
  const cluster = await startCluster();
  stopOnSignal(cluster);
  try {
    const results: Result[] = [];
    for (const row of chosen) {
      say(`measuring ${row.name} …`);
      results.push(...(await row.measure({ cluster, rounds, stored })));
    }
    const missed = misses(results);
    process.stdout.write(`${report(results, await describeMachine(cluster.serverUrl, loadBefore))}\n`);
    for (const miss of missed) say(miss);
    if (missed.length === 0 && results.some((result) => result.kind === 'ratio')) say('Every target is met.');
    return missed.length === 0;
  } finally {
    await cluster.stop();
  }
}

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = optionsFrom(args);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 2;
  }
  try {
    return (await measure(options)) ? 0 : 1;
  } catch (error) {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  }
}

process.exit(await main(process.argv.slice(2)));
