/**
 * Runs cases on the running program, over the HTTP API and nothing else. Meters, price books and event types are global
 * there, so each case gets names of its own; a customer of its own makes its event ids its own as well.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { firstInstant, parseInstant } from '../domain/time/instant.js';
import { parsePeriodName } from '../domain/time/local-date.js';
import { caseCustomer, StepRefusal } from './engine.js';
import type { CaseDocument, CaseEngine, CaseWindow, PlainEvent, StartEngine } from './engine.js';
import type {
  BillingCase,
  CaseAdjustment,
  CaseCreditGrant,
  CaseExchangeRate,
  CaseReRating,
  CaseRolloutStage,
} from './format.js';
import { HttpClient } from './http-client.js';

const eventsPerRequest = 1000;
/** Only ends a run that would never end. */
const closingTimeoutMs = 180_000;
const pollIntervalMs = 100;

/** Findings that hold an invoice, as against those that only tell an operator something. */
const holdingCodes: readonly string[] = [
  'UNPRICED_METER',
  'NEGATIVE_TOTAL',
  'METER_DROPPED_FROM_PRICE_BOOK',
  'TOO_MANY_GROUPS',
  'CURRENCY_MISMATCH',
  'EXCHANGE_RATE_MISSING',
  'UNREADABLE_VALUE',
];

// Answers are read for what cases look at; anything else in them may change.
const group = z.record(z.string(), z.string().nullable());
const ingestAnswer = z.object({
  results: z.array(z.object({ status: z.string(), code: z.string().optional(), detail: z.string().optional() })),
});
const grantAnswer = z.object({ grant_id: z.string() });
const periodAnswer = z.object({ stage: z.string(), invoice_id: z.string().nullable() });
const boundsAnswer = z.object({ from: z.string(), to: z.string() });
const reRatingAnswer = z.object({
  re_rating_id: z.string(),
  status: z.string(),
  corrections: z.array(z.string()).default([]),
  held: z.array(z.unknown()).default([]),
});
const rolloutAnswer = z.object({ rollout_id: z.string() });
const findingsAnswer = z.object({ data: z.array(z.object({ code: z.string(), detail: z.string() })) });
const usageAnswer = z.object({
  meters: z.array(
    z.object({
      meter: z.string(),
      group,
      windows: z.array(z.object({ window_start: z.string(), window_end: z.string(), quantity: z.string() })),
    }),
  ),
});
const invoiceAnswer = z.object({
  type: z.string(),
  status: z.string(),
  currency: z.string(),
  subtotal: z.string(),
  credits: z.string(),
  credit_draws: z.array(z.object({ grant_id: z.string(), amount: z.string() })).default([]),
  total: z.string(),
  lines: z.array(
    z.object({
      description: z.string(),
      meter: z.string().nullable(),
      group,
      quantity: z.string().nullable(),
      amount: z.string(),
      original_amount: z.string().optional(),
      corrected_amount: z.string().optional(),
      calculation: z.object({
        formula: z.string(),
        charges: z.array(
          z.object({
            price_book_version: z.string(),
            quantity: z.string(),
            formula: z.string(),
            conversion: z.object({ rate: z.string(), rate_date: z.string(), amount: z.string() }).optional(),
          }),
        ),
      }),
    }),
  ),
});

/** Starts cases on the program at that address. */
export function stackEngine(url: string): StartEngine {
  const http = new HttpClient(url);
  return async (billingCase) => {
    const engine = new StackEngine(http, `case-${randomUUID().slice(0, 13)}`);
    await engine.create(billingCase);
    return engine;
  };
}

class StackEngine implements CaseEngine {
  private facts: Readonly<Record<string, unknown>> = {};
  private currency = '';
  private firstPeriod = '';
  /** Ids by the names of the case. */
  private readonly grants = new Map<string, string>();
  private hasLevels = false;
  /** By code and version of the candidate. */
  private readonly rollouts = new Map<string, string>();
  /** By period's name. */
  private readonly lastCorrections = new Map<string, readonly CaseDocument[]>();

  constructor(
    private readonly http: HttpClient,
    /** The customer's id, and what stands before every name of the case. */
    private readonly run: string,
  ) {}

  async create({
    customer,
    meters,
    price_books,
    exchange_rates = [],
    credit_grants: grants = [],
    steps,
    name,
  }: BillingCase): Promise<void> {
    for (const meter of meters) {
      await this.http.request('POST', '/meters', {
        ...meter,
        code: this.own(meter.code),
        event_type: this.own(meter.event_type),
      });
    }
    for (const version of price_books) await this.learnPriceBook(version);
    await this.learnExchangeRates(exchange_rates);
    const { currency_conversion: conversion } = customer;
    this.facts = {
      name: name.slice(0, 128),
      ...customer,
      ...(conversion !== undefined && { currency_conversion: { ...conversion, source: this.own(conversion.source) } }),
      price_book: this.own(String(price_books[0]?.['code'])),
      // Nothing is invoiced or corrected but by the steps of the case.
      invoice_delay: 'P365D',
      late_usage_quiet_time: 'manual',
    };
    this.firstPeriod = earliestPeriod(steps);
    this.hasLevels = meters.some(({ aggregation }) => aggregation === 'weighted_sum');
    await this.http.request('PUT', `/customers/${this.run}`, this.facts);
    this.currency = customer.currency;
    for (const grant of grants) await this.grantCredit(grant);
  }

  async grantCredit(grant: CaseCreditGrant): Promise<void> {
    const body = { customer_id: this.run, currency: this.currency, effective_from: firstInstant, ...grant };
    const { grant_id: id } = grantAnswer.parse(await this.http.request('POST', '/credit-grants', body));
    this.grants.set(grant.name, id);
  }

  async voidCreditGrant(name: string): Promise<void> {
    await this.http.request('POST', `/credit-grants/${this.grants.get(name) ?? name}/void`, { reason: 'a case' });
  }

  async voidInvoice(period: string): Promise<void> {
    const { invoice_id: id } = periodAnswer.parse(await this.http.request('GET', this.periodPath(period)));
    await this.http.request('POST', `/invoices/${id ?? 'none'}/void`, { reason: 'a case' });
  }

  async sendEvents(events: readonly PlainEvent[]): Promise<void> {
    let refusal: StepRefusal | null = null;
    for (let from = 0; from < events.length; from += eventsPerRequest) {
      const chunk = events.slice(from, from + eventsPerRequest);
      const body = {
        events: chunk.map((event) => ({ ...event, event_type: this.own(event.event_type), customer_id: this.run })),
      };
      const { results } = ingestAnswer.parse(await this.http.request('POST', '/events', body));
      const rejected = results.find(({ status }) => status === 'rejected');
      if (rejected !== undefined) refusal ??= new StepRefusal(rejected.code ?? 'rejected', rejected.detail ?? '');
    }
    if (refusal !== null) throw refusal;
  }

  async learnPriceBook(version: Readonly<Record<string, unknown>>): Promise<void> {
    const { code, prices } = version;
    await this.http.request('POST', '/price-books', {
      ...version,
      ...(typeof code === 'string' ? { code: this.own(code) } : {}),
      ...(Array.isArray(prices) ? { prices: prices.map((price: unknown) => this.ownPrice(price)) } : {}),
    });
  }

  async learnExchangeRates(rates: readonly CaseExchangeRate[]): Promise<void> {
    for (const { source = 'ecb', ...rate } of rates) {
      await this.http.request('POST', '/exchange-rates', { source: this.own(source), rates: [rate] });
    }
  }

  async adjustEvent({ event_id, source, type, replacement }: CaseAdjustment): Promise<void> {
    await this.http.request('POST', '/event-adjustments', {
      customer_id: this.run,
      event_id,
      ...(source !== undefined && { source }),
      type,
      ...(replacement !== undefined && {
        replacement: { metadata: {}, ...replacement, event_type: this.own(replacement.event_type) },
      }),
    });
  }

  async closePeriod(period: string): Promise<void> {
    const path = this.periodPath(period);
    await this.requestClose(`${path}/close`);
    const stage = await this.waitUntilClosed(path);
    if (stage === 'held') throw await this.refusalOfHeld(parsePeriodName(period));
  }

  private async refusalOfHeld(period: string): Promise<StepRefusal> {
    const query = new URLSearchParams({ customer_id: this.run, period });
    const { data } = findingsAnswer.parse(await this.http.request('GET', `/findings?${query.toString()}`));
    const finding = data.find(({ code }) => holdingCodes.includes(code));
    if (finding === undefined) throw new Error(`the period ${period} is held without a finding that says why`);
    return new StepRefusal(finding.code, finding.detail);
  }

  /**
   * A period without usage exists from `billing_from` on. Only a case that closes one says so: every period from there to
   * now gets a workflow.
   */
  private async requestClose(path: string): Promise<void> {
    try {
      await this.http.request('POST', path, {});
    } catch (error) {
      if (!(error instanceof StepRefusal) || error.code !== 'UNKNOWN_PERIOD') throw error;
      await this.billFromFirstPeriod();
      await this.http.request('POST', path, {});
    }
  }

  private async billFromFirstPeriod(): Promise<void> {
    await this.http.request('PUT', `/customers/${this.run}`, { ...this.facts, billing_from: this.firstPeriod });
  }

  async reRate({ period, reason }: CaseReRating): Promise<void> {
    const name = parsePeriodName(period);
    const { from, to } = boundsAnswer.parse(await this.http.request('GET', this.periodPath(period)));
    const scope = { customer_ids: [this.run], from, to };
    const started = reRatingAnswer.parse(await this.http.request('POST', '/re-ratings', { reason, scope }));
    const { corrections, held } = await this.waitUntilReRated(started.re_rating_id);
    if (held.length > 0) throw await this.refusalOfHeld(name);
    const documents = await Promise.all(corrections.map((id) => this.document(id)));
    this.lastCorrections.set(name, documents);
  }

  async rollOut({ price_book: { code, version }, kind, customers, effective_from }: CaseRolloutStage): Promise<void> {
    const reason = 'a case';
    const named = customers === undefined ? {} : { customers: await this.customersNamed(customers) };
    const key = `${code}@${version}`;
    const rolloutId = this.rollouts.get(key);
    const decision = { ...named, effective_from, reason };
    if (rolloutId === undefined) {
      const priceBook = { code: this.own(code), version };
      const body = { price_book: priceBook, ...decision };
      const started = rolloutAnswer.parse(await this.http.request('POST', '/price-rollouts', body));
      this.rollouts.set(key, started.rollout_id);
      return;
    }
    const isWidening = kind === 'canary' || kind === 'all';
    const body = isWidening ? { ...decision, kind, ...(kind === 'all' && { override: true }) } : decision;
    await this.http.request('POST', `/price-rollouts/${rolloutId}/${isWidening ? 'stages' : kind}`, body);
  }

  /** Others than the customer of the case come into being when they are named. */
  private async customersNamed(names: readonly string[]): Promise<readonly string[]> {
    const ids = names.map((name) => (name === caseCustomer ? this.run : this.own(name)));
    for (const id of ids) if (id !== this.run) await this.http.request('PUT', `/customers/${id}`, this.facts);
    return ids;
  }

  async windows(period: string, meter: string): Promise<readonly CaseWindow[]> {
    const query = new URLSearchParams({ period: parsePeriodName(period) });
    const path = `/customers/${this.run}/usage?${query.toString()}`;
    let answer = await this.http.find(path);
    if (answer === null && this.hasLevels) {
      // Without an event there is usage all the same: the level that is carried into the period.
      await this.billFromFirstPeriod();
      answer = await this.http.find(path);
    }
    // A period that does not exist (before billing_from, without usage) has no windows.
    if (answer === null) return [];
    const usage = usageAnswer.parse(answer);
    return usage.meters
      .filter((found) => found.meter === this.own(meter))
      .flatMap((found) =>
        found.windows.map((window) => ({
          meter,
          start: parseInstant(window.window_start),
          end: parseInstant(window.window_end),
          group: found.group,
          quantity: window.quantity,
        })),
      );
  }

  async invoice(period: string): Promise<CaseDocument | null> {
    const found = await this.http.find(this.periodPath(period));
    const invoiceId = found === null ? null : periodAnswer.parse(found).invoice_id;
    return invoiceId === null ? null : this.document(invoiceId);
  }

  private async document(invoiceId: string): Promise<CaseDocument> {
    const invoice = invoiceAnswer.parse(await this.http.request('GET', `/invoices/${invoiceId}`));
    const names = new Map([...this.grants].map(([name, id]) => [id, name]));
    return {
      ...invoice,
      credit_draws: invoice.credit_draws.map(({ grant_id: id, amount }) => ({
        grant_id: names.get(id) ?? id,
        amount,
      })),
      lines: invoice.lines.map(({ original_amount, corrected_amount, ...line }) => ({
        ...line,
        ...(original_amount !== undefined && { original_amount }),
        ...(corrected_amount !== undefined && { corrected_amount }),
        meter: line.meter === null ? null : this.given(line.meter),
      })),
    };
  }

  corrections(period: string): readonly CaseDocument[] {
    return this.lastCorrections.get(parsePeriodName(period)) ?? [];
  }

  private async waitUntilReRated(id: string): Promise<z.infer<typeof reRatingAnswer>> {
    const deadline = Date.now() + closingTimeoutMs;
    for (;;) {
      const answer = reRatingAnswer.parse(await this.http.request('GET', `/re-ratings/${id}`));
      if (answer.status === 'completed' || answer.status === 'no_difference') return answer;
      if (Date.now() > deadline)
        throw new Error(`the re-rating did not end within ${closingTimeoutMs / 1000} s; it is ${answer.status}`);
      await sleep(pollIntervalMs);
    }
  }

  private async waitUntilClosed(path: string): Promise<string> {
    const deadline = Date.now() + closingTimeoutMs;
    for (;;) {
      const { stage } = periodAnswer.parse(await this.http.request('GET', path));
      if (stage === 'invoiced' || stage === 'held' || stage === 'skipped') return stage;
      if (Date.now() > deadline)
        throw new Error(`the period was not closed within ${closingTimeoutMs / 1000} s; it is ${stage}`);
      await sleep(pollIntervalMs);
    }
  }

  private periodPath(period: string): string {
    return `/billing-periods/${this.run}/${parsePeriodName(period)}`;
  }

  private ownPrice(price: unknown): unknown {
    if (typeof price !== 'object' || price === null) return price;
    const meters = Object.entries(price).filter(([name]) => name === 'meter' || name === 'quantity_meter');
    const own = meters.map(([name, meter]: [string, unknown]) => [
      name,
      typeof meter === 'string' ? this.own(meter) : meter,
    ]);
    return { ...price, ...Object.fromEntries(own) };
  }

  private own(name: string): string {
    return `${this.run}.${name}`;
  }

  private given(name: string): string {
    return name.startsWith(`${this.run}.`) ? name.slice(this.run.length + 1) : name;
  }
}

/** The first period that a step names, at whatever depth: from there on periods exist without usage. */
function earliestPeriod(steps: BillingCase['steps']): string {
  const named = [...JSON.stringify(steps).matchAll(/"(?:period|close_period)":"(\d{4}-\d{2})(-\d{2})?"/g)];
  return named.map(([, month = '', day = '-01']) => month + day).sort()[0] ?? '1970-01-01';
}
