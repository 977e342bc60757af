/**
 * Billing cases on storage and activities: the program without its HTTP API and without Temporal, each case on a database of
 * its own. Whatever is issued is verified from the raw events and reconciled at once.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createActivities } from '../../src/activities/index.js';
import { compileValueNeeds, valueProblem } from '../../src/api/ingest/value-needs.js';
import { creditGrantBody } from '../../src/api/schemas/credits.js';
import { meterBody } from '../../src/api/schemas/reference.js';
import { meterOf } from '../../src/api/services/meters.js';
import { explainCharge } from '../../src/api/services/charge-explanation.js';
import { creditTermsOf } from '../../src/api/services/credits.js';
import { usageOf } from '../../src/api/services/usage.js';
import { documentsOfPeriod } from '../../src/billing/documents-of-period.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { StepRefusal } from '../../src/cases/engine.js';
import type { CaseDocument, CaseEngine, CaseWindow, PlainEvent } from '../../src/cases/engine.js';
import type {
  BillingCase,
  CaseAdjustment,
  CaseCreditGrant,
  CaseExchangeRate,
  CaseReRating,
  CaseRolloutStage,
} from '../../src/cases/format.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { invoiceToWire } from '../../src/domain/invoicing/invoice-to-wire.js';
import { parseRates } from '../../src/domain/money/parse-rates.js';
import { parsePriceBook, requireMetersOf } from '../../src/domain/rating/parse-price-book.js';
import { withoutRollout } from '../../src/domain/rollout/candidate.js';
import { requireStage } from '../../src/domain/rollout/transitions.js';
import { parseEffectiveFrom } from '../../src/domain/time/effective-from.js';
import { firstInstant, parseInstant } from '../../src/domain/time/instant.js';
import { parsePeriodName } from '../../src/domain/time/local-date.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { explainCharge as textFor } from '../../src/explanation/explain.js';
import { verifyCharge } from '../../src/explanation/verify.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import { createStorage } from '../../src/storage/index.js';
import type { BillingPeriod, Storage } from '../../src/storage/types.js';
import { acme, metadataOf } from '../storage/usage-fixture.js';
import { daysIn, readArithmetic } from '../support/explained.js';
import { compare, rational, sum } from '../support/rational-rating.js';
import { createTestDatabase } from '../support/postgres.js';
import { settings } from './fixture.js';

const customerId = 'case';
const billingDay = '2030-01-01' as LocalDate;
const now = '2030-01-01T00:00:00.000000Z' as Instant;
const postingDate = '2030-01-01' as LocalDate;

export class ActivityCaseEngine implements CaseEngine {
  private readonly lastCorrections = new Map<string, readonly CaseDocument[]>();
  private currency = '';
  /** Ids by the names of the case. */
  private readonly grants = new Map<string, string>();
  private readonly activities;

  private constructor(
    private readonly storage: Storage,
    readonly close: () => Promise<void>,
  ) {
    const start = (): Promise<object> => Promise.resolve({});
    const client = { workflow: { start, signalWithStart: start } } as unknown as Client;
    this.activities = createActivities({ storage, client, settings, now: () => now });
  }

  static async start({
    customer,
    meters,
    price_books,
    exchange_rates = [],
    credit_grants: grants = [],
  }: BillingCase): Promise<ActivityCaseEngine> {
    const database = await createTestDatabase();
    const storage = createStorage(database.url);
    const engine = new ActivityCaseEngine(storage, async () => {
      await storage.close();
      await database.drop();
    });
    for (const meter of meters) await storage.reference.createMeter(meterOf(meterBody.parse(meter)));
    for (const version of price_books) await engine.learnPriceBook(version);
    await engine.learnExchangeRates(exchange_rates);
    const { currency_conversion: conversion } = customer;
    const priceBook = String(price_books[0]?.['code']);
    const facts = {
      ...acme,
      currency: customer.currency,
      timeZone: customer.time_zone ?? 'UTC',
      billingAnchorDay: customer.billing_anchor_day ?? 1,
      skipEmptyInvoices: customer.skip_empty_invoices ?? false,
      priceBook,
      currencyConversion:
        conversion === undefined ? null : { source: conversion.source, maxAgeDays: conversion.max_age_days ?? 7 },
    };
    await storage.reference.putCustomer(customerId, facts, null);
    await storage.reference.assignPriceBook(customerId, priceBook, null, { effectiveUntil: null, decidedBy: 'a test' });
    engine.currency = customer.currency;
    for (const grant of grants) await engine.grantCredit(grant);
    return engine;
  }

  async grantCredit({ name, ...given }: CaseCreditGrant): Promise<void> {
    const body = creditGrantBody.parse({ customer_id: customerId, currency: this.currency, name, ...given });
    const terms = creditTermsOf(body, { currency: body.currency, actor: 'ann', now: firstInstant });
    const grantId = randomUUID();
    await this.storage.credits.grant({ ...terms, grantId }, postingDate);
    this.grants.set(name, grantId);
  }

  async voidCreditGrant(name: string): Promise<void> {
    const decision = { reason: 'a case', voidedBy: 'ann', postingDate };
    await this.storage.credits.voidGrant(this.grants.get(name) ?? '', decision);
  }

  async voidInvoice(name: string): Promise<void> {
    const period = await this.period(name);
    const [original] = (await documentsOfPeriod(this.storage, period)).filter(({ status }) => status !== 'void');
    if (original === undefined) throw new StepRefusal('INVOICE_NOT_FOUND', name);
    await voidInvoice(this.storage, original, { actor: 'ann', reason: 'a case', now });
    await this.prove(period);
  }

  async sendEvents(events: readonly PlainEvent[]): Promise<void> {
    const needs = compileValueNeeds(await this.storage.reference.meterVersions());
    const read = events.map((event) => {
      const metadataJson = JSON.stringify(event.metadata);
      const content = {
        ...{ customerId, source: event.source, eventId: event.event_id, eventType: event.event_type },
        eventTime: parseInstant(event.event_time),
      };
      const contentHash = contentHashOf({ ...content, metadata: metadataOf(metadataJson) });
      const problem = valueProblem(
        { ...content, metadata: metadataOf(metadataJson) },
        needs.get(event.event_type) ?? [],
      );
      if (problem !== null) throw new StepRefusal(problem.code, problem.detail);
      const provenance = { requestId: null, userId: null, traceId: null };
      return { ...content, metadataJson, contentHash, provenance };
    });
    const outcomes = await this.storage.ledger.append(read, []);
    if (outcomes.includes('conflict')) throw new StepRefusal('EVENT_ID_REUSED', 'known with other content');
    for (const { eventTime } of read) await this.storage.periods.periodAt(customerId, eventTime);
  }

  async learnPriceBook(version: Readonly<Record<string, unknown>>): Promise<void> {
    const { content: wire, isCandidate } = withoutRollout(version);
    const content = { ...parsePriceBook(wire), ...(isCandidate && { isCandidate }) };
    requireMetersOf(content, await this.storage.reference.meters());
    await this.storage.reference.createPriceBook(content);
  }

  async learnExchangeRates(rates: readonly CaseExchangeRate[]): Promise<void> {
    for (const { source = 'ecb', ...rate } of rates) {
      await this.storage.reference.addExchangeRates(parseRates(source, [rate]), 'ann');
    }
  }

  async adjustEvent({ event_id: eventId, source = '', type, replacement }: CaseAdjustment): Promise<void> {
    const content =
      replacement === undefined
        ? null
        : {
            eventType: replacement.event_type,
            eventTime: parseInstant(replacement.event_time),
            metadataJson: JSON.stringify(replacement.metadata ?? {}),
          };
    const key = { customerId, source, eventId };
    const full =
      content === null
        ? null
        : {
            ...content,
            contentHash: contentHashOf({ ...key, ...content, metadata: metadataOf(content.metadataJson) }),
          };
    await this.storage.adjustments.adjust({ ...key, type, replacement: full, reason: null });
  }

  async closePeriod(name: string): Promise<void> {
    const period = await this.period(name);
    // Closed as its workflow would, so that the gate finds windows that were final before.
    await this.storage.usage.closeWindows(period, null, [], null);
    expect((await reconcilePeriod(this.storage, period)).report.differences).toEqual([]);
    const request = {
      requestId: randomUUID(),
      customerId,
      period: period.period,
      billingDay,
      forced: false,
      reason: null,
    };
    await this.storage.periods.requestInvoicing(request);
    await this.run(() => this.activities.issueChunk({ billingDay, limit: 10 }));
    if ((await documentsOfPeriod(this.storage, period)).length > 0) return this.prove(period);
    const { data } = await this.storage.findings.list({ customerId, period: period.period }, { limit: 10 });
    const [finding] = data;
    if (finding !== undefined) throw new StepRefusal(finding.code, finding.detail);
  }

  async reRate({ period: name, reason }: CaseReRating): Promise<void> {
    const period = await this.period(name);
    const before = await documentsOfPeriod(this.storage, period);
    const reRatingId = randomUUID();
    const scope = { customerIds: [customerId], meters: null, from: null, to: null };
    const asked = { reRatingId, workflowId: `test/${reRatingId}`, reason, scope, priceBookId: null, dryRun: false };
    await this.storage.reRatings.create({ ...asked, requestedBy: 'ann' }, [{ customerId, period: period.period }]);
    const step = { reRatingId, attempt: 1, limit: 10 };
    await this.run(() => this.activities.compareReRating(step));
    await this.run(() => this.activities.correctReRating(step));
    const documents = await documentsOfPeriod(this.storage, period);
    this.lastCorrections.set(
      period.period,
      documents.slice(before.length).map((document) => this.shown(document)),
    );
    await this.prove(period);
  }

  async rollOut({ price_book: named, kind, customers = [], effective_from }: CaseRolloutStage): Promise<void> {
    const { rollouts, reference } = this.storage;
    const { code, version } = named;
    const candidate = (await reference.priceBookVersions(code)).find((each) => each.version === version);
    const priceBookId = candidate?.priceBookId ?? '';
    const effectiveFrom = parseEffectiveFrom(effective_from, '/effective_from');
    const planned = { kind, effectiveFrom, customerIds: customers, percentage: null };
    const decision = {
      stageId: randomUUID(),
      evaluationId: null,
      override: kind === 'all',
      reason: 'a case',
      decidedBy: 'ann',
    };
    const [known] = await rollouts.ofCandidates([priceBookId]);
    if (known === undefined) {
      const rollout = { rolloutId: randomUUID(), priceBookId, code, startedBy: 'ann' };
      await rollouts.start(rollout, { ...planned, ...decision });
      return;
    }
    requireStage(known.stages, planned, now);
    await rollouts.decide(known.rolloutId, known.stages.length + 1, { ...planned, ...decision });
  }

  async windows(name: string, code: string): Promise<readonly CaseWindow[]> {
    const { meters } = await usageOf(this.storage, await this.period(name));
    return meters.flatMap(({ total, windows }) =>
      total.meter !== code
        ? []
        : windows.map(({ meter, windowStart: start, windowEnd: end, group, quantity }) => ({
            ...{ meter, start, end, group, quantity },
          })),
    );
  }

  async invoice(name: string): Promise<CaseDocument | null> {
    const documents = await documentsOfPeriod(this.storage, await this.period(name));
    const original = documents.findLast(({ type }) => type === 'invoice');
    return original === undefined ? null : this.shown(original);
  }

  async corrections(name: string): Promise<readonly CaseDocument[]> {
    return this.lastCorrections.get(parsePeriodName(name)) ?? [];
  }

  private shown(invoice: Invoice): CaseDocument {
    const names = new Map([...this.grants].map(([name, id]) => [id, name]));
    const { credit_draws: draws = [], ...document } = invoiceToWire(invoice);
    return {
      ...document,
      credit_draws: draws.map(({ grant_id: id, amount }) => ({ grant_id: names.get(id) ?? id, amount })),
    };
  }

  private async prove(period: BillingPeriod): Promise<void> {
    const { report } = await reconcilePeriod(this.storage, period);
    expect(report.differences).toEqual([]);
    expect(await this.storage.credits.mismatches()).toEqual([]);
    for (const document of await documentsOfPeriod(this.storage, period)) {
      expect(await verifyInvoice(this.storage, document)).toMatchObject({ verified: true });
      for (const chargeId of document.lines.flatMap((line) => line.chargeIds)) await this.proveCharge(chargeId);
    }
  }

  /** Its source events are as many as it says, its days add up, and the text for the customer gives its amount. */
  private async proveCharge(chargeId: string): Promise<void> {
    const { data } = await this.storage.billing.chargeEvents(chargeId, { limit: 10_000 });
    const charge = await explainCharge(this.storage, chargeId);
    const { calculation, aggregation, amount, meter } = charge;
    expect(data).toHaveLength(calculation.source_events.count);
    expect({ chargeId, ...readArithmetic(textFor(charge, { allWindows: false })) }).toMatchObject({ together: amount });
    expect(verifyCharge(charge).filter(({ holds }) => !holds)).toEqual([]);
    if (meter === null || (aggregation !== 'count' && aggregation !== 'sum')) return;
    const days = daysIn(textFor(charge, { allWindows: false }));
    expect(compare(sum(days), rational(calculation.quantity))).toBe(0);
  }

  private async period(name: string): Promise<BillingPeriod> {
    const period = await this.storage.periods.periodNamed(customerId, parsePeriodName(name));
    if (period === null) throw new StepRefusal('UNKNOWN_PERIOD', name);
    return period;
  }

  private run<T>(activity: () => Promise<T>): Promise<T> {
    return new MockActivityEnvironment({}).run<[], T, () => Promise<T>>(activity);
  }
}
