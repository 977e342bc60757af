import { randomUUID } from 'node:crypto';
import { groupsOf } from '../../src/activities/issue-chunk.js';
import { issueInvoices } from '../../src/activities/issue-invoice.js';
import type { LocalDate } from '../../src/domain/values.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { createStorage } from '../../src/storage/index.js';
import type { GateTransaction, InvoicingRequest, Storage } from '../../src/storage/types.js';
import { dependenciesOn, gatesAtATime } from '../lib/activities.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import type { BenchDatabase } from '../lib/cluster.js';
import type { BenchEvent } from '../lib/events.js';
import { newEventId } from '../lib/events.js';
import type { Figure } from '../lib/measure.js';
import { spread } from '../lib/measure.js';
import { rateText } from '../lib/report.js';
import { bytesMeter, callsMeter, createCustomer, meterOf, setUpPrices } from '../lib/setup.js';
import type { Row } from './row.js';

const customers = 200;
const eventsPerCustomer = 100;
const period = '2024-01-01' as LocalDate;
const monthMs = 31 * 86_400_000;

export const meters = [
  callsMeter,
  bytesMeter,
  meterOf({ code: 'bytes_by_region', aggregation: 'sum', valueProperty: 'bytes', groupBy: ['region'] }),
  meterOf({ code: 'jobs', eventType: 'job' }),
  meterOf({
    code: 'job_seconds',
    eventType: 'job',
    aggregation: 'sum',
    valueProperty: 'seconds',
    filters: { region: ['eu'] },
  }),
];

export function eventsOf(customerId: string): BenchEvent[] {
  return Array.from({ length: eventsPerCustomer }, (_, index) => ({
    event_id: newEventId(index),
    event_time: new Date(Date.UTC(2024, 0, 1) + (index * monthMs) / eventsPerCustomer).toISOString(),
    customer_id: customerId,
    event_type: index % 4 === 0 ? 'job' : 'call',
    metadata: { region: index % 2 === 0 ? 'eu' : 'us', bytes: String(index * 31), seconds: `${index}.5` },
  }));
}

/** A month's end: customers with usage, and the requests to invoice them. */
async function invoicingRequests(
  database: BenchDatabase,
  storage: Storage,
  round: number,
): Promise<readonly InvoicingRequest[]> {
  const ids = Array.from({ length: customers }, (_, index) => `bench_${round}_${index}`);
  await inParallel(ids, gatesAtATime, async (customerId) => {
    await createCustomer(storage, customerId);
    await storage.periods.periodNamed(customerId, period);
  });
  await copyAll(database.pool, copyChunks(ids.flatMap(eventsOf), 1_000), 4);
  const requests = ids.map((customerId) => ({
    requestId: randomUUID(),
    customerId,
    period,
    billingDay: '2024-02-01' as LocalDate,
    forced: false,
    reason: null,
  }));
  await inParallel(requests, gatesAtATime, (request) => storage.periods.requestInvoicing(request));
  return requests;
}

/** Where the time of a gate goes, in order. */
const steps = [
  'read period, customer and prices',
  'lock and cutoff',
  'bring windows to the cutoff',
  'read usage by price segment',
  'rate, build the document, hash it',
  'store charges',
  'draw the number',
  'write and commit',
] as const;
type Step = (typeof steps)[number];

/** Milliseconds by step. */
type Split = Record<Step, number>;

/** What passes between two laps belongs to the step that the second one names: a gate does one thing at a time. */
class Stopwatch {
  private last = performance.now();

  constructor(private readonly split: Split) {}

  lap(step: Step): void {
    const now = performance.now();
    this.split[step] += now - this.last;
    this.last = now;
  }

  async during<T>(step: Step, work: Promise<T>): Promise<T> {
    const result = await work;
    this.lap(step);
    return result;
  }
}

const inMemory: Step = 'rate, build the document, hash it';

/** Storage whose gates say where their time goes; for one transaction. */
function timedStorage(storage: Storage, watch: Stopwatch): Storage {
  const atGates: Storage['billing']['atGates'] = (periods, work, mayGoOn) => {
    watch.lap('read period, customer and prices');
    const result = storage.billing.atGates(
      periods,
      async (gate, period) => {
        watch.lap('lock and cutoff');
        const decided = await work(timedGate(gate, watch), period);
        watch.lap(inMemory);
        return decided;
      },
      mayGoOn,
    );
    return watch.during('write and commit', result);
  };
  return { ...storage, billing: { ...storage.billing, atGates } };
}

function timedGate(gate: GateTransaction, watch: Stopwatch): GateTransaction {
  const timed = <T>(step: Step, work: () => Promise<T>): Promise<T> => {
    watch.lap(inMemory);
    return watch.during(step, work());
  };
  return {
    cutoff: gate.cutoff,
    chain: gate.chain,
    holdVersions: (known) => timed('read period, customer and prices', () => gate.holdVersions(known)),
    bringWindowsToCutoff: () => timed('bring windows to the cutoff', () => gate.bringWindowsToCutoff()),
    bringTouchedWindows: (...range) => timed('bring windows to the cutoff', () => gate.bringTouchedWindows(...range)),
    unreadableValues: () => timed('bring windows to the cutoff', () => gate.unreadableValues()),
    segmentUsage: (...usage) => timed('read usage by price segment', () => gate.segmentUsage(...usage)),
    meterGroups: (...of) => timed('read usage by price segment', () => gate.meterGroups(...of)),
    eachEvent: (...query) => timed('read usage by price segment', () => gate.eachEvent(...query)),
    chargesOf: (chargeIds) => timed('store charges', () => gate.chargesOf(chargeIds)),
    storeCharges: (...charges) => timed('store charges', () => gate.storeCharges(...charges)),
    creditGrants: () => timed('draw the number', () => gate.creditGrants()),
    draft: () => timed('draw the number', () => gate.draft()),
    keepDraft: (...draft) => timed('write and commit', () => gate.keepDraft(...draft)),
    trailingSubtotals: (...of) => timed('draw the number', () => gate.trailingSubtotals(...of)),
    doubleBilling: () => timed('draw the number', () => gate.doubleBilling()),
    carryCredit: (document) => timed('draw the number', () => gate.carryCredit(document)),
    creditNotes: (originalId) => timed('draw the number', () => gate.creditNotes(originalId)),
    settleVoid: (decision) => timed('write and commit', () => gate.settleVoid(decision)),
    legalEntity: (code) => gate.legalEntity(code),
    drawNumber: (series) => timed('draw the number', () => gate.drawNumber(series)),
    insertInvoice: (invoice, actor) => timed('write and commit', () => gate.insertInvoice(invoice, actor)),
    voidInvoice: (...document) => timed('write and commit', () => gate.voidInvoice(...document)),
    postEntry: (entry) => timed('write and commit', () => gate.postEntry(entry)),
    postedEntry: (invoiceId) => timed('write and commit', () => gate.postedEntry(invoiceId)),
    insertRating: (rating) => timed('write and commit', () => gate.insertRating(rating)),
    recordComparison: (comparison) => timed('write and commit', () => gate.recordComparison(comparison)),
    recordReRatingOutcome: (outcome) => timed('write and commit', () => gate.recordReRatingOutcome(outcome)),
    recordOutcome: (...outcome) => timed('write and commit', () => gate.recordOutcome(...outcome)),
    storeFallback: (fallback) => timed('write and commit', () => gate.storeFallback(fallback)),
    storeFinding: (finding) => timed('write and commit', () => gate.storeFinding(finding)),
  };
}

/** Closing a month for many small customers, as the invoicing activity does it, without Temporal. */
export const gates: Row = {
  name: 'gates',
  measure: async ({ cluster, rounds }) => {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    await setUpPrices(storage, meters);
    const dependencies = dependenciesOn(storage);
    const rates: number[] = [];
    const split = Object.fromEntries(steps.map((step) => [step, 0])) as Split;
    for (let round = -1; round < rounds; round += 1) {
      const requests = await invoicingRequests(database, storage, round + 1);
      const start = performance.now();
      await inParallel(groupsOf(requests), gatesAtATime, async (group) => {
        const watch = new Stopwatch(round < 0 ? { ...split } : split);
        const issued = await issueInvoices({ ...dependencies, storage: timedStorage(storage, watch) }, group);
        for (const { outcome } of issued) if (outcome !== 'issued') throw new Error(`an invoice was ${outcome}`);
      });
      if (round >= 0) rates.push((customers * 1_000) / (performance.now() - start));
    }
    await storage.close();
    return [...figuresOf(rates, split)];
  },
};

function figuresOf(rates: readonly number[], split: Split): readonly Figure[] {
  const { min, median, max } = spread(rates);
  const total = steps.reduce((sum, step) => sum + split[step], 0);
  const gatesTimed = rates.length * customers;
  const shares = steps.map(
    (step) => `${step} ${(split[step] / gatesTimed).toFixed(1)} ms (${Math.round((100 * split[step]) / total)} %)`,
  );
  const what = `${customers} customers, ${meters.length} meters, ${eventsPerCustomer} events each, ${gatesAtATime} transactions at a time`;
  return [
    {
      kind: 'figure',
      row: 'gates',
      value: `${rateText(min)} / **${rateText(median)}** / ${rateText(max)} invoices/s`,
      note: what,
    },
    {
      kind: 'figure',
      row: 'gates: where a gate waits',
      value: `${(total / gatesTimed).toFixed(1)} ms`,
      note: shares.join('; '),
    },
  ];
}
