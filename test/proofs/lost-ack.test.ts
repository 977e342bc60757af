/**
 * Every activity, and everything that an activity writes or starts, with its acknowledgement lost: after the retry the database
 * holds what it holds where nothing was lost, row by row, ledger positions and ids included. (Invariants 2 and 4 of DESIGN 2.)
 */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import pg from 'pg';
import { createActivities } from '../../src/activities/index.js';
import type { Activities } from '../../src/activities/index.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { reconciliationActor } from '../../src/activities/re-rating/compare-period.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { priceBookToWire } from '../../src/domain/rating/price-book-to-wire.js';
import { uuidOf } from '../../src/storage/identifiers.js';
import type { CreditTerms } from '../../src/domain/credits/grant.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { createActivityFixture, issuedAt, january, settings } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { contentOf } from './support/database-content.js';
import { createLevelFacts } from './support/level-books.js';
import { Losses } from './support/losses.js';

const billingDay = '2024-02-01' as LocalDate;
const nowMs = Date.parse('2024-02-01T03:00:00Z');

/** A worker that runs activities until they succeed. */
class Run {
  readonly started: { type: string; workflowId: string }[] = [];
  private readonly activities: Activities;
  private steps = 0;
  private readonly ran = new Map<keyof Activities, number>();

  /** @param lostActivity whose first two acknowledgements are lost: once with its heartbeat, once without */
  constructor(
    readonly fixture: ActivityFixture,
    readonly losses: Losses,
    private readonly lostActivity: keyof Activities | null,
  ) {
    const note = (type: string, options: { workflowId: string }): Promise<object> => {
      this.started.push({ type, workflowId: options.workflowId });
      return Promise.resolve({});
    };
    const client = { workflow: losses.around('workflow', { start: note, signalWithStart: note }) };
    this.activities = createActivities({
      storage: losses.storage(fixture.storage),
      client: client as unknown as Client,
      settings,
      now: () => issuedAt,
    });
  }

  ranActivities(): readonly string[] {
    return [...this.ran.keys()].sort();
  }

  async do<Name extends keyof Activities>(
    name: Name,
    ...input: Parameters<Activities[Name]>
  ): Promise<Awaited<ReturnType<Activities[Name]>>> {
    this.steps += 1;
    // The relay is run as often as it takes: all of it is one step.
    const step = name === 'runRelay' ? name : `${this.steps} ${name}`;
    this.ran.set(name, (this.ran.get(name) ?? 0) + 1);
    let heartbeatDetails: unknown;
    const answered = await this.losses.untilDone(
      step,
      async (attempt) => {
        const known = attempt === 2 ? heartbeatDetails : undefined;
        const environment = new MockActivityEnvironment({ attempt, heartbeatDetails: known }, { logger: silent });
        environment.on('heartbeat', (details) => {
          heartbeatDetails = details;
        });
        const activity = this.activities[name] as (...parameters: typeof input) => Promise<unknown>;
        const answer = await environment.run(activity, ...input);
        if (name === this.lostActivity && attempt <= 2) throw new Error(`the acknowledgement of ${name} was lost`);
        return answer;
      },
      (error) => error instanceof ApplicationFailure && error.nonRetryable === true,
    );
    return answered as Awaited<ReturnType<Activities[Name]>>;
  }
}

/** Losing acknowledgements is what this is about: warnings of it are noise. */
const silent = new DefaultLogger('ERROR');

type Key = { readonly customerId: string; readonly period: LocalDate };
const keyOf = (customerId: string, period: LocalDate = january): Key => ({ customerId, period });

async function relayUntilTold(run: Run): Promise<void> {
  for (;;) {
    await run.do('runRelay', { group: 'all', runForMs: 300 });
    const { facts, oldestUndelivered } = await run.fixture.storage.relay.lag('all');
    if (facts === 0 && oldestUndelivered === null) return;
  }
}

/** A billing day and a clock for each month of the story. */
const months = {
  january: { period: january, billingDay, nowMs },
  february: {
    period: '2024-02-01' as LocalDate,
    billingDay: '2024-03-01' as LocalDate,
    nowMs: Date.parse('2024-03-01T03:00:00Z'),
  },
} as const;

async function invoice(run: Run, customerId: string, month: keyof typeof months = 'january'): Promise<void> {
  const { period, billingDay, nowMs } = months[month];
  const key = keyOf(customerId, period);
  await run.do('readPeriod', { ...key, nowMs });
  await run.do('closeWindows', { ...key, nowMs, scope: 'all', windows: [], accumulatedThrough: null, rate: true });
  const requestId = uuidOf('test-request', customerId, period);
  await run.do('requestInvoicing', { ...key, requestId, billingDay, forced: false, reason: null, nowMs });
  expect(await run.do('issueChunk', { billingDay, limit: 10 })).toMatchObject({ held: 0, more: false });
}

async function correct(run: Run, reRatingId: string, decision: 'approved' | 'rejected' | null): Promise<void> {
  const { reRatings } = run.fixture.storage;
  const attempt = 1;
  const step = { reRatingId, attempt, limit: 10 };
  const { next } = await run.do('compareReRating', step);
  expect(next).toBe(decision === null ? 'correcting' : 'awaiting_approval');
  if (decision !== null) {
    expect(await run.do('readDecision', { reRatingId, attempt })).toBeNull();
    await reRatings.decide(reRatingId, { attempt, decision, decidedBy: 'ann', reason: null });
    expect(await run.do('readDecision', { reRatingId, attempt })).toBe(decision);
  }
  if (decision !== 'rejected') {
    await run.do('correctReRating', step);
    expect(await run.do('reconcileReRating', { reRatingId, attempt })).toMatchObject({ different: 0 });
  }
  await run.do('endReRating', { reRatingId, attempt, rejected: decision === 'rejected' });
}

async function startedCorrection(run: Run, customerId: string, period = january): Promise<string> {
  const { reRatingId } = await run.do('startCorrection', keyOf(customerId, period));
  if (reRatingId === null) throw new Error(`nothing of ${customerId} is corrected`);
  return reRatingId;
}

/** An event that every stage missed: below every cutoff. */
async function forgetEvent(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`INSERT INTO telemetry_events
    (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata, position)
    SELECT customer_id, source, event_id || '/again', partition, event_type, event_time, content_hash + 1, metadata, 1
    FROM telemetry_events WHERE customer_id = 'acme' ORDER BY event_id LIMIT 1`);
  await client.end();
}

/** A level (`weighted_sum`): carried from the month that it began in into the next one, and changed late in both. */
async function carryLevel(run: Run): Promise<void> {
  const { fixture } = run;
  await fixture.addCustomer('leveled', { priceBook: 'seats' });
  const change = (eventId: string, eventTime: string, seats: number): Promise<unknown> =>
    fixture.storage.ledger.append(
      [
        usageEvent({
          ...{ customerId: 'leveled', eventId, eventType: 'seat_change', eventTime },
          metadataJson: JSON.stringify({ seats, region: 'eu' }),
        }),
      ],
      [],
    );
  await change('plus 10', '2024-01-01T00:00:00Z', 10);
  await relayUntilTold(run);
  await invoice(run, 'leveled', 'january');
  await invoice(run, 'leveled', 'february');
  await change('minus 2', '2024-01-16T12:00:00Z', -2);
  await relayUntilTold(run);
  for (const { period } of Object.values(months))
    await correct(run, await startedCorrection(run, 'leveled', period), null);
}

/** Everything that activities do, once. */
async function tell(run: Run): Promise<void> {
  const { fixture } = run;
  await createLevelFacts(fixture);
  await fixture.addCustomer('acme');
  await fixture.addCustomer('asks', { approvalThreshold: '0' as DecimalString });
  await fixture.addCustomer('manual', { lateUsageQuietTime: 'manual' });
  const customers = ['acme', 'asks', 'manual'];
  // Drawn by the invoice and its correction; what is left expires in the sweep, and a part of it rolls over.
  await fixture.storage.credits.grant(creditOf('acme'), '2024-01-01' as LocalDate);
  for (const customerId of customers) await fixture.addCalls(customerId, customerId === 'acme' ? 1_010 : 30);
  await relayUntilTold(run);
  for (const customerId of customers) await invoice(run, customerId);

  for (const customerId of customers) await fixture.addCalls(customerId, 2, '2024-01-25T00:00:00Z');
  await relayUntilTold(run);
  await run.do('noteLateUsage', keyOf('acme'));
  expect(await run.do('startCorrection', keyOf('manual'))).toEqual({ reRatingId: null, noted: true });
  await correct(run, await startedCorrection(run, 'acme'), null);
  await correct(run, await startedCorrection(run, 'asks'), 'approved');
  await fixture.addCalls('asks', 1, '2024-01-26T00:00:00Z');
  await correct(run, await startedCorrection(run, 'asks'), 'rejected');
  await carryLevel(run);
  await run.do('sweepPeriods');

  const { data: documents } = await fixture.storage.billing.listInvoices({}, { limit: 100 });
  for (const document of documents)
    expect(await verifyInvoice(fixture.storage, document)).toMatchObject({ verified: true });

  await forgetEvent(fixture.url);
  const { runId } = await run.do('beginReconciliation', { runId: null });
  await run.do('reconcileChunk', { runId, limit: 10 });
  await run.do('finishReconciliation', { runId });
  expect(await fixture.storage.reconciliation.find(runId)).toMatchObject({ periods: 5, different: 1 });
  const { data: reRatings } = await fixture.storage.reRatings.list({ customerId: 'acme' }, { limit: 100 });
  const repair = reRatings.find(({ requestedBy }) => requestedBy === reconciliationActor);
  await correct(run, repair?.reRatingId ?? '', null);
  await evaluate(run);
  await closeMany(run);
  expect(await run.do('anchorAudit')).toMatchObject({ lastCheckpoint: null, written: null });
}

const creditOf = (customerId: string): CreditTerms => ({
  ...{ grantId: uuidOf('test-grant', customerId), customerId, currency: 'USD', type: 'prepaid', priority: 50 },
  amount: '150.00' as DecimalString,
  effectiveFrom: '2024-01-01T00:00:00.000000Z' as Instant,
  expiresAt: '2024-02-01T00:00:00.000000Z' as Instant,
  rollOver: { cap: '20.00' as DecimalString, validity: 'P30D' },
  ...{ name: 'a package', reason: null, rolledOverFrom: null, grantedBy: 'ann' },
});

async function evaluate(run: Run): Promise<void> {
  const { evaluations, ledger } = run.fixture.storage;
  const evaluationId = uuidOf('test-evaluation');
  await evaluations.request({
    evaluationId,
    workflowId: `evaluation/${evaluationId}`,
    priceBook: idea,
    scope: { customerIds: ['acme', 'asks'], from: null, to: null },
    cutoff: await ledger.safeHorizon(),
    requestedBy: 'ann',
  });
  await run.do('evaluateChunk', { evaluationId, limit: 100 });
  await run.do('finishEvaluation', { evaluationId });
  const { data: results } = await evaluations.results(evaluationId, { result: 'compared' }, { limit: 100 });
  expect(new Set(results.map(({ customerId }) => customerId)).size).toBe(2);
}

async function closeMany(run: Run): Promise<void> {
  const customerId = 'closed';
  const { addCustomer, addCalls, storage } = run.fixture;
  await addCustomer(customerId);
  await addCalls(customerId, 5);
  const closeId = uuidOf('test-close');
  const scope = { period: january, endedOn: null, customerIds: [customerId], legalEntity: null };
  const day = '2031-02-01' as LocalDate;
  const asked = { closeId, workflowId: `period-close/${closeId}`, billingDay: day, requestedBy: 'ann' };
  await storage.periodCloses.request({ ...asked, scope });
  expect(await run.do('planPeriodClose', { closeId })).toMatchObject({ planned: 1 });
  await run.do('handOverPeriods', { closeId, billingDay: day, limit: 10 });
  expect(await run.do('issueChunk', { billingDay: day, limit: 10 })).toMatchObject({ held: 0 });
  expect(await run.do('followPeriodClose', { closeId, billingDay: day, forMs: 1_000 })).toMatchObject({ issued: 1 });
}

const idea = priceBookToWire(
  parsePriceBook({
    code: 'idea',
    version: 'draft',
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.05' }],
  }),
);

interface Told {
  readonly content: Readonly<Record<string, readonly string[]>>;
  /** Workflows, each once however often it was started. */
  readonly workflows: readonly string[];
  readonly activities: readonly string[];
  readonly lost: readonly string[];
}

async function told(
  lostActivity: keyof Activities | null,
  loses: (call: string) => boolean = () => false,
): Promise<Told> {
  const fixture = await createActivityFixture();
  try {
    const run = new Run(fixture, new Losses(loses), lostActivity);
    await tell(run);
    return {
      // Taking over a relay that is gone raises its epoch.
      content: await contentOf(fixture.url, { columns: ['epoch'] }),
      workflows: [...new Set(run.started.map(({ type, workflowId }) => `${type} ${workflowId}`))].sort(),
      activities: run.ranActivities(),
      lost: [...run.losses.lost],
    };
  } finally {
    await fixture.close();
  }
}

let reference: Told;
beforeAll(async () => {
  reference = await told(null);
}, 300_000);

/** Of a customer's documents, originals first, by period. */
function totalsOf(content: Told['content'], customerId: string): readonly string[] {
  return [...(content['invoices'] ?? [])]
    .map((row) => JSON.parse(row) as Readonly<Record<'customer_id' | 'type' | 'period' | 'total', string>>)
    .filter((row) => row.customer_id === customerId)
    .sort((a, b) =>
      `${a.type === 'invoice' ? 0 : 1} ${a.period}` < `${b.type === 'invoice' ? 0 : 1} ${b.period}` ? -1 : 1,
    )
    .map(({ total }) => String(total));
}

const names = Object.keys(createActivities({} as Parameters<typeof createActivities>[0])) as (keyof Activities)[];

test('the story has every activity in it, and documents of every kind of course', () => {
  expect(reference.activities).toEqual([...names].sort());
  expect(reference.content['invoices']).toHaveLength(11);
  // Ten seats in each of two months, by two meters; two of them less from the middle of January on.
  expect(totalsOf(reference.content, 'leveled')).toEqual(['170', '170', '-17', '-34']);
  // Invoice and correction have drawn; the rest has expired, and rolled over.
  expect([...(reference.content['credit_draws'] ?? [])].map((row) => row.includes('"issued"'))).toEqual([true, true]);
  expect(reference.content['credit_expiries']).toHaveLength(1);
  expect(reference.content['credit_grants']).toHaveLength(2);
  expect(reference.lost).toEqual([]);
});

test.each(names)(
  'the acknowledgement of %s is lost',
  async (name) => {
    const { content, workflows } = await told(name);
    expect({ content, workflows }).toEqual({ content: reference.content, workflows: reference.workflows });
  },
  300_000,
);

test('every commit and every message to Temporal of every activity is acknowledged only when it is tried again', async () => {
  const { content, workflows, lost } = await told(null, () => true);
  expect({ content, workflows }).toEqual({ content: reference.content, workflows: reference.workflows });
  expect(new Set(lost.map((point) => point.split(' ').at(-2)))).toEqual(
    new Set([
      'audit.seal',
      'billing.atGate',
      'billing.atGates',
      'credits.end',
      'drafts.requestDue',
      'evaluations.finish',
      'evaluations.storeResult',
      'findings.store',
      'journal.takeMonthSnapshots',
      'periodCloses.createMissing',
      'periodCloses.handOver',
      'periodCloses.plan',
      'periods.askSkippedAgain',
      'periods.carryOn',
      'periods.noteLookedBack',
      'periods.periodAt',
      'periods.periodNamed',
      'periods.requestInvoicing',
      'reRatings.create',
      'reRatings.enter',
      'reconciliation.finish',
      'reconciliation.request',
      'reconciliation.storeResult',
      'relay.acquire',
      'relay.markDelivered',
      'relay.plan',
      'usage.closeWindows',
      'workflow.signalWithStart',
      'workflow.start',
    ]),
  );
}, 300_000);
