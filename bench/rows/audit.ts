import { randomUUID } from 'node:crypto';
import type { LocalDate } from '../../src/domain/values.js';
import { newAuditKey, signerOf } from '../../src/storage/audit-hashes.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { createStorage } from '../../src/storage/index.js';
import type { Storage, VerificationStep } from '../../src/storage/types.js';
import { activitiesOn, gatesAtATime, invoiceAll } from '../lib/activities.js';
import type { BenchDatabase } from '../lib/cluster.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import type { Figure, Side } from '../lib/measure.js';
import { compare, spread } from '../lib/measure.js';
import { rateText } from '../lib/report.js';
import { createCustomer, setUpPrices } from '../lib/setup.js';
import { eventsOf, meters } from './gates.js';
import type { Row } from './row.js';

const customers = 200;
const period = '2024-01-01' as LocalDate;

/** What issuing costs with the log, and without it: the same invoices on a database whose triggers are disabled. */
export const audit: Row = {
  name: 'audit',
  measure: async ({ cluster, rounds, stored }) => {
    const [logged, bare] = [await cluster.newDatabase(), await cluster.newDatabase()];
    const { rows } = await bare.pool.query<{ table: string }>(
      `SELECT table_name AS table FROM audit_layouts WHERE mode = 'chain'`,
    );
    for (const { table } of rows) await bare.pool.query(`ALTER TABLE ${table} DISABLE TRIGGER audit`);
    const sides = await Promise.all([logged, bare].map(async (database) => sideOn(database)));
    const [withLog, without] = sides;
    if (withLog === undefined || without === undefined) throw new Error('two sides');
    const issuing = await compare({
      row: `audit: issuing, ${customers} customers, ${meters.length} meters`,
      unit: 'invoices',
      ours: { name: 'with the log', prepare: withLog.prepare },
      limit: { name: 'triggers disabled', prepare: without.prepare },
      rounds,
      target: null,
    });
    const results = [
      issuing,
      ...(await proving(logged, withLog.storage, { rounds, stored: Math.min(stored, 200_000) })),
    ];
    await Promise.all(sides.map(({ storage }) => storage.close()));
    return results;
  },
};

async function sideOn(database: BenchDatabase): Promise<Pick<Side, 'prepare'> & { readonly storage: Storage }> {
  const storage = createStorage(database.url);
  const its = activitiesOn(storage);
  await setUpPrices(storage, meters);
  return {
    storage,
    prepare: async () => {
      const ids = Array.from({ length: customers }, () => `bench_${randomUUID()}`);
      await inParallel(ids, gatesAtATime, async (customerId) => {
        await createCustomer(storage, customerId);
        await storage.periods.periodNamed(customerId, period);
      });
      await copyAll(database.pool, copyChunks(ids.flatMap(eventsOf), 1_000), 4);
      const periods = ids.map((customerId) => ({ customerId, period }));
      return async () => {
        await invoiceAll(storage, its, periods);
        return customers;
      };
    },
  };
}

/** Sealing, signing and verifying what the invoices have left, with more events. */
async function proving(
  database: BenchDatabase,
  storage: Storage,
  { rounds, stored }: { readonly rounds: number; readonly stored: number },
): Promise<readonly Figure[]> {
  const many = Array.from({ length: Math.ceil(stored / 100) }, (_, index) => `more_${index}`);
  await copyAll(database.pool, copyChunks(many.flatMap(eventsOf), 1_000), 4);
  await database.pool.query('VACUUM (ANALYZE)');
  const sealed = await timed(() => storage.audit.seal());
  const facts = sealed.result.reduce((sum, block) => sum + block.facts, 0);
  const at = new Date().toISOString().replace('Z', '000Z') as Parameters<Storage['audit']['sign']>[1];
  const signed = await timed(() => storage.audit.sign(signerOf(newAuditKey()), at));
  const heads = signed.result.reduce((sum, checkpoint) => sum + checkpoint.heads.length, 0);
  const rates = { chain: [] as number[], facts: [] as number[] };
  let entries = 0;
  for (let round = -1; round < rounds; round += 1) {
    const verified = await verifyOnce(storage);
    ({ entries } = verified);
    if (round < 0) continue;
    rates.chain.push(verified.rows / verified.chainSeconds);
    rates.facts.push(verified.facts / verified.blockSeconds);
  }
  const { rows } = await database.pool.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(c)) AS bytes FROM unnest(ARRAY['audit_changes', 'audit_entries', 'audit_commitments']::regclass[]) c`,
  );
  const perEntry = Math.round(Number(rows[0]?.bytes ?? 0) / entries);
  return [
    figure(
      'audit: sealing',
      `${rateText(facts / sealed.seconds)} facts/s`,
      `${facts} facts in ${sealed.result.length} blocks`,
    ),
    figure(
      'audit: signing',
      `${rateText(heads / signed.seconds)} heads/s`,
      `${heads} heads in ${signed.result.length} checkpoints`,
    ),
    figure(
      'audit: verifying chains',
      `${spreadText(rates.chain)} rows/s`,
      `${entries} entries, ${perEntry} bytes of log each`,
    ),
    figure('audit: verifying blocks', `${spreadText(rates.facts)} facts/s`, `${facts} facts`),
  ];
}

const figure = (row: string, value: string, note: string): Figure => ({ kind: 'figure', row, value, note });

function spreadText(values: readonly number[]): string {
  const { min, median, max } = spread(values);
  return `${rateText(min)} / **${rateText(median)}** / ${rateText(max)}`;
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
  const start = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - start) / 1_000 };
}

interface Verified {
  readonly entries: number;
  readonly rows: number;
  readonly facts: number;
  readonly chainSeconds: number;
  readonly blockSeconds: number;
}

async function verifyOnce(storage: Storage): Promise<Verified> {
  let [mark, chainSeconds, blockSeconds] = [performance.now(), 0, 0];
  let last: VerificationStep | null = null;
  for await (const step of storage.audit.verify()) {
    const seconds = (performance.now() - mark) / 1_000;
    mark = performance.now();
    if (step.kind === 'progress' && step.stage === 'blocks') blockSeconds += seconds;
    else if (step.kind === 'progress' && step.stage !== 'checkpoints') chainSeconds += seconds;
    last = step;
  }
  if (last?.kind !== 'result' || !last.verified) throw new Error(`the log does not verify: ${JSON.stringify(last)}`);
  const { entries, rows, facts } = last.counts;
  return { entries, rows, facts, chainSeconds, blockSeconds };
}
