/**
 * A flood of duplicates: 100,000 requests over 1,000 distinct events from 50 connections, a tenth of them with other content under
 * a used id. Each event must be in the ledger exactly once, every conflict told, and nothing answered 5xx. Starts a Postgres and an
 * API of its own, without the limit of duplicates: with it such a flood is throttled (test/proofs/duplicate-flood.test.ts).
 *
 *     node --import tsx bench/duplicate-flood.ts
 *     node --import tsx bench/duplicate-flood.ts --requests 10000 --events 100
 *
 * Exit code: 0 all of that holds, 1 not, 2 wrong usage.
 */
import { parseArgs } from 'node:util';
import { createStorage } from '../src/storage/index.js';
import { startCluster, type BenchDatabase } from './lib/cluster.js';
import { newEvents } from './lib/events.js';
import { requestsOf, sendEach } from './lib/http-client.js';
import { setUpIngest } from './lib/setup.js';

const connections = 50;

interface Load {
  readonly requests: number;
  readonly events: number;
}

interface Told {
  accepted: number;
  duplicates: number;
  conflicts: number;
  readonly statuses: Map<number, number>;
}

/** The requests, and how many of them are altered. The first of each event is sent before any other, unaltered. */
function bodiesOf({ requests, events }: Load): {
  readonly first: Buffer[];
  readonly repeats: Buffer[];
  altered: number;
} {
  const originals = newEvents(events);
  let altered = 0;
  const repeats = Array.from({ length: requests - events }, (_, index) => {
    // A stride coprime to the number of events mixes their order.
    const event = originals[(index * 7_919) % events];
    if (index % 10 !== 0) return Buffer.from(JSON.stringify(event));
    altered += 1;
    return Buffer.from(JSON.stringify({ ...event, metadata: { altered: index, bytes: '1' } }));
  });
  return { first: originals.map((event) => Buffer.from(JSON.stringify(event))), repeats, altered };
}

async function send(port: number, bodies: readonly Buffer[], told: Told): Promise<void> {
  await sendEach(port, requestsOf('/events', bodies), connections, ({ status, body }) => {
    told.statuses.set(status, (told.statuses.get(status) ?? 0) + 1);
    if (status !== 202) return;
    const answer = JSON.parse(body) as {
      accepted: number;
      duplicates: number;
      results: readonly { readonly code?: string }[];
    };
    told.accepted += answer.accepted;
    told.duplicates += answer.duplicates;
    told.conflicts += answer.results.filter(({ code }) => code === 'EVENT_ID_REUSED').length;
  });
}

async function countOf({ pool }: BenchDatabase, sql: string): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(sql);
  return Number(rows[0]?.count);
}

async function run(load: Load): Promise<boolean> {
  const cluster = await startCluster();
  try {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    await setUpIngest(storage);
    await storage.close();
    const api = await cluster.startApi(database, { RECKONER_DUPLICATE_FLOOD_DUPLICATES: '0' });
    const { first, repeats, altered } = bodiesOf(load);
    const told: Told = { accepted: 0, duplicates: 0, conflicts: 0, statuses: new Map() };
    const start = performance.now();
    await send(api.port, first, told);
    await send(api.port, repeats, told);
    const seconds = (performance.now() - start) / 1_000;
    await api.stop();
    const stored = await countOf(database, 'SELECT count(*) FROM telemetry_events');
    const distinct = await countOf(
      database,
      'SELECT count(*) FROM (SELECT DISTINCT customer_id, source, event_id FROM telemetry_events) AS e',
    );
    const letters = await countOf(database, `SELECT count(*) FROM dead_letters WHERE code = 'EVENT_ID_REUSED'`);
    const duplicates = load.requests - load.events - altered;
    const checks: readonly (readonly [string, number, number])[] = [
      ['requests answered 202', told.statuses.get(202) ?? 0, load.requests],
      ['events accepted', told.accepted, load.events],
      ['duplicates told', told.duplicates, duplicates],
      ['conflicts told', told.conflicts, altered],
      ['rows in the ledger', stored, load.events],
      ['identities in the ledger', distinct, load.events],
      ['conflicts kept as dead letters', letters, altered],
    ];
    for (const [what, found, expected] of checks)
      process.stdout.write(`${found === expected ? 'ok  ' : 'FAIL'} ${what}: ${found}, expected ${expected}\n`);
    process.stdout.write(`${Math.round(load.requests / seconds)} requests/s\n`);
    return checks.every(([, found, expected]) => found === expected);
  } finally {
    await cluster.stop();
  }
}

function loadFrom(args: readonly string[]): Load | null {
  const { values } = parseArgs({
    args: [...args],
    options: { requests: { type: 'string', default: '100000' }, events: { type: 'string', default: '1000' } },
  });
  const load = { requests: Number(values.requests), events: Number(values.events) };
  const isCount = (value: number): boolean => Number.isInteger(value) && value > 0;
  return isCount(load.requests) && isCount(load.events) && load.requests >= load.events ? load : null;
}

const load = loadFrom(process.argv.slice(2));
if (load === null)
  process.stderr.write('Expected --requests and --events, whole numbers, no more events than requests.\n');
process.exitCode = load === null ? 2 : (await run(load)) ? 0 : 1;
