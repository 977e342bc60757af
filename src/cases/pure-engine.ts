/**
 * Runs cases in memory, on the domain and the calendar alone: no server, no database, thousands of cases a second. It
 * decides nothing about money itself; what it does beyond calling the domain is to remember what was issued and pinned.
 */
import { metersOfPeriod } from '../calendar/meters-of-period.js';
import { cutsOf, parseTimeZone, startOfLocalDay, windowBoundsOf } from '../calendar/time-zones.js';
import { periodContaining, periodNamed } from '../calendar/calendar.js';
import type { CalendarPeriod, CalendarSegment } from '../calendar/calendar.js';
import { compareWithInvoiced } from '../domain/correction/compare.js';
import type { Correction, InvoicedLine } from '../domain/correction/compare.js';
import { keepsPins } from '../domain/correction/reasons.js';
import { creditsOf, settleCredits } from '../domain/credits/settle.js';
import { decimal } from '../domain/decimal.js';
import type { D } from '../domain/decimal.js';
import { DomainFailure } from '../domain/failure.js';
import { buildInvoice } from '../domain/invoicing/build-invoice.js';
import { invoiceToWire } from '../domain/invoicing/invoice-to-wire.js';
import { invoiceEntry } from '../domain/ledger/invoice-entry.js';
import { aggregate, sumWindows, usageBySegment, valuedEvents } from '../domain/metering/fold.js';
import type { MeteredEvent } from '../domain/metering/fold.js';
import { addsUp, maxGroupsDefault, type Meter, readPropertyOf, type WindowUsage } from '../domain/metering/meter.js';
import { holdsAtAll, type MeterInForce } from '../domain/metering/meter-versions.js';
import { asSegmentUsage, usageBetween, usageOfPeriod } from '../domain/metering/period-usage.js';
import { groupsByMeter, pooledMeters, pricedPools } from '../domain/rating/pools.js';
import { findCurrency } from '../domain/money/currency.js';
import { formatAmount } from '../domain/money/rounding.js';
import type { ConversionRates } from '../domain/rating/invoice-currency.js';
import { EventTotals } from '../domain/rating/event-totals.js';
import { parsePriceBook, requireMetersOf } from '../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import { ratePeriod } from '../domain/rating/rate.js';
import type { NextPeriod, PriceSegment, RatedLine } from '../domain/rating/rating.js';
import { priceSegments } from '../domain/rating/segments.js';
import { withoutRollout } from '../domain/rollout/candidate.js';
import { parseDuration } from '../domain/time/duration.js';
import { parseEffectiveFrom } from '../domain/time/effective-from.js';
import { msToInstant } from '../domain/time/instant.js';
import { parsePeriodName } from '../domain/time/local-date.js';
import type { Instant, Interval, LocalDate, Position } from '../domain/values.js';
import { StepRefusal } from './engine.js';
import type { CaseDocument, CaseEngine, CaseWindow, PlainEvent } from './engine.js';
import type {
  BillingCase,
  CaseAdjustment,
  CaseCreditGrant,
  CaseExchangeRate,
  CaseMeter,
  CaseReRating,
  CaseRolloutStage,
} from './format.js';
import { PureCredits } from './pure-credits.js';
import { PureLedger } from './pure-ledger.js';
import { PureRates } from './pure-rates.js';
import { PureRollouts } from './pure-rollouts.js';

interface PinnedPrices {
  readonly segments: readonly PriceSegment[];
  readonly next: NextPeriod;
  readonly rates: ConversionRates;
}

/** What was issued for a period, and the versions that its later documents for late usage use (RULES 21). */
interface Chain {
  readonly invoice: CaseDocument;
  pinned: PinnedPrices;
  invoiced: readonly InvoicedLine[];
  lastCorrections: readonly CaseDocument[];
}

export class PureEngine implements CaseEngine {
  private readonly meters: readonly Meter[];
  private readonly calendar: readonly CalendarSegment[];
  private readonly ledger: PureLedger;
  private readonly currency: string;
  private readonly rates: PureRates;
  private readonly credits: PureCredits;
  private readonly skipEmptyInvoices: boolean;
  private readonly assignedPriceBook: string;
  private readonly priceBooks: PriceBookVersion[] = [];
  private readonly rollouts = new PureRollouts(this.priceBooks);
  private readonly chains = new Map<string, Chain>();
  /** By period, for as long as the events are the same. */
  private readonly aggregated = new Map<string, { events: readonly MeteredEvent[]; windows: readonly WindowUsage[] }>();

  /** @throws DomainFailure when a fact of the case (not a step) is refused */
  constructor({ customer, meters, price_books, exchange_rates = [], credit_grants: grants = [] }: BillingCase) {
    this.currency = findCurrency(customer.currency, '/customer/currency').code;
    this.credits = new PureCredits(this.currency);
    for (const grant of grants) this.grantCredit(grant);
    this.skipEmptyInvoices = customer.skip_empty_invoices ?? false;
    const timeZone = parseTimeZone(customer.time_zone ?? 'UTC', '/customer/time_zone');
    this.calendar = [{ timeZone, anchorDay: customer.billing_anchor_day ?? 1, from: null }];
    this.meters = meters.map((meter, index) =>
      meterOf(meter, meters.slice(0, index).filter(({ code }) => code === meter.code).length + 1),
    );
    this.ledger = new PureLedger(this.meters);
    for (const version of price_books) this.learn(version);
    const [first] = this.priceBooks;
    if (first === undefined) throw new DomainFailure('UNKNOWN_PRICE_BOOK', 'The case has no price book.');
    this.rates = new PureRates(customer.currency_conversion);
    this.rates.learn(exchange_rates);
    this.rates.requireConvertible(first.currency, this.currency);
    this.assignedPriceBook = first.code;
  }

  sendEvents(events: readonly PlainEvent[]): void {
    const refusals: DomainFailure[] = [];
    for (const event of events) {
      try {
        this.ledger.append(event);
      } catch (error) {
        if (!(error instanceof DomainFailure)) throw error;
        refusals.push(error);
      }
    }
    const [first] = refusals;
    if (first !== undefined) throw first;
  }

  learnPriceBook(version: Readonly<Record<string, unknown>>): void {
    this.learn(version);
  }

  learnExchangeRates(rates: readonly CaseExchangeRate[]): void {
    this.rates.learn(rates);
  }

  adjustEvent(adjustment: CaseAdjustment): void {
    this.ledger.adjust(adjustment);
  }

  closePeriod(name: string): void {
    const period = this.period(name);
    if (period.to > msToInstant(Date.now())) {
      throw new DomainFailure('PERIOD_NOT_ENDED', `The period ${period.name} ends at ${period.to}.`);
    }
    if (this.chains.has(period.name)) {
      throw new DomainFailure('PERIOD_ALREADY_INVOICED', `The period ${period.name} is invoiced; re-rate it instead.`);
    }
    const pinned = this.currentPrices(period, new Map());
    const lines = this.rate(period, pinned);
    if (lines.length === 0 && this.skipEmptyInvoices) return;
    const invoice = this.issue(period, lines);
    this.chains.set(period.name, { invoice, pinned, invoiced: lines, lastCorrections: [] });
  }

  grantCredit(grant: CaseCreditGrant): void {
    this.credits.grant(grant);
  }

  voidCreditGrant(name: string): void {
    this.credits.voidGrant(name);
  }

  voidInvoice(name: string): void {
    const period = this.period(name);
    if (!this.chains.delete(period.name))
      throw new DomainFailure('PERIOD_NOT_INVOICED', `The period ${period.name} has no invoice yet.`);
    this.credits.documentsVoided(period.name);
  }

  reRate({ period: name, reason }: CaseReRating): void {
    const period = this.period(name);
    const chain = this.chains.get(period.name);
    if (chain === undefined)
      throw new DomainFailure('PERIOD_NOT_INVOICED', `The period ${period.name} has no invoice yet.`);
    const prices = keepsPins(reason) ? chain.pinned : this.currentPrices(period, chain.pinned.rates);
    const correction = compareWithInvoiced(chain.invoiced, this.rate(period, prices));
    chain.lastCorrections = correction === null ? [] : [this.correctionDocument(period, correction)];
    // The price that was named is a fact of the period from now on, also where it makes no difference yet (RULES 21).
    chain.pinned = prices;
    if (correction === null) return;
    chain.invoiced = invoicedAfter(chain.invoiced, correction);
  }

  rollOut(stage: CaseRolloutStage): void {
    this.rollouts.decide(stage);
  }

  windows(name: string, code: string): readonly CaseWindow[] {
    const period = this.period(name);
    const meter = this.metersIn(period).findLast((candidate) => candidate.code === code);
    if (meter === undefined) throw new DomainFailure('UNKNOWN_METER', `The case has no meter "${code}".`);
    return this.windowsOf(meter, period).map((window) => ({
      meter: window.meter,
      start: window.windowStart,
      end: window.windowEnd,
      group: window.group,
      quantity: window.quantity,
    }));
  }

  private windowsOf(meter: Meter, period: CalendarPeriod): readonly WindowUsage[] {
    const { windowSize } = meter;
    const small = this.smallWindows(period).filter((window) => window.meter === meter.code);
    const isLevel = meter.aggregation === 'weighted_sum';
    if (windowSize === 'hour' && !isLevel) return small;
    const bounds = windowBoundsOf({ ...period, cuts: cutsWithin(period) }, period.timeZone, windowSize);
    if (addsUp(meter)) return sumWindows(small, bounds);
    return usageBetween(this.ledger.events(), [{ meter, by: meter.groupBy }], bounds).windows;
  }

  invoice(name: string): CaseDocument | null {
    return this.chains.get(this.period(name).name)?.invoice ?? null;
  }

  corrections(name: string): readonly CaseDocument[] {
    return this.chains.get(this.period(name).name)?.lastCorrections ?? [];
  }

  private learn(version: Readonly<Record<string, unknown>>): void {
    const { content: wire, isCandidate } = withoutRollout(version);
    const content = { ...parsePriceBook(wire), ...(isCandidate && { isCandidate }) };
    requireMetersOf(content, this.meters, wire);
    if (this.priceBooks.some((known) => known.code === content.code && known.version === content.version)) {
      throw new DomainFailure(
        'PRICE_BOOK_VERSION_IMMUTABLE',
        `The version ${content.version} of ${content.code} is already known.`,
      );
    }
    const learnedOrder = this.priceBooks.length + 1;
    const learned = { ...content, priceBookId: `${content.code}/${content.version}`, learnedOrder };
    this.rollouts.allow(learned);
    this.priceBooks.push(learned);
  }

  private period(name: string): CalendarPeriod {
    const period = periodNamed(this.calendar, parsePeriodName(name));
    if (period === null)
      throw new DomainFailure('UNKNOWN_PERIOD', `No billing period of the customer begins on ${name}.`);
    return period;
  }

  /** @param pinned the rates of the period's documents, which stay (RULES 39) */
  private currentPrices(period: CalendarPeriod, pinned: ConversionRates): PinnedPrices {
    const { from, to } = periodContaining(this.calendar, period.to);
    const prices = { segments: this.segmentsOf(period), next: { from, to, segments: this.segmentsOf({ from, to }) } };
    return { ...prices, rates: this.rates.ofPeriod(period, { ...prices, currency: this.currency }, pinned) };
  }

  private segmentsOf(stretch: Interval): readonly PriceSegment[] {
    const { timeZone } = periodContaining(this.calendar, stretch.from);
    const startOfDay = (date: LocalDate): Instant => startOfLocalDay(date, timeZone);
    return priceSegments(stretch, {
      assignments: [{ priceBook: this.assignedPriceBook, effectiveFrom: null, learnedOrder: 1 }],
      versions: this.priceBooks,
      startOfDay,
      memberships: this.rollouts.memberships(startOfDay),
    });
  }

  private metersIn(period: CalendarPeriod): readonly MeterInForce[] {
    return metersOfPeriod(this.meters, period).filter(holdsAtAll);
  }

  private smallWindows(period: CalendarPeriod): readonly WindowUsage[] {
    const events = this.ledger.events();
    const known = this.aggregated.get(period.name);
    if (known?.events === events) return known.windows;
    const { from, to } = period;
    const { windows } = aggregate(events, this.metersIn(period), { from, to, cuts: cutsWithin(period) });
    this.aggregated.set(period.name, { events, windows });
    return windows;
  }

  /** @throws StepRefusal with the code of the first finding that would hold the invoice */
  private rate(period: CalendarPeriod, { segments, next, rates }: PinnedPrices): readonly RatedLine[] {
    const meters = this.metersIn(period);
    const adding = new Set(meters.filter(addsUp).map(({ code }) => code));
    const windows = this.smallWindows(period).filter(({ meter }) => adding.has(meter));
    const whole = usageOfPeriod(this.ledger.events(), pricedPools(meters, segments, next), period);
    const usage = [...usageBySegment(windows, segments), ...asSegmentUsage(whole, segments)];
    const own = pooledMeters(meters, segments, next).map((meter) => ({ meter, by: meter.groupBy }));
    const events = new EventTotals({ meters, segments, usage });
    for (const event of valuedEvents(this.ledger.events(), events.meters, period)) events.add(event);
    const { lines, problems } = ratePeriod({
      period,
      currency: this.currency,
      rates,
      meters,
      segments,
      usage,
      meterGroups: groupsByMeter(usageOfPeriod(this.ledger.events(), own, period)),
      eventTotals: events.totals,
      next,
    });
    const [problem] = problems;
    if (problem !== undefined) throw new StepRefusal(problem.code, problem.detail);
    return lines;
  }

  /** Builds, posts and shows the invoice as the program would; ids and clock are placeholders that no case looks at. */
  private issue(period: CalendarPeriod, lines: readonly RatedLine[]): CaseDocument {
    const invoice = {
      ...buildInvoice({
        invoiceId: `invoice/${period.name}`,
        chainPlace: 1,
        replacesInvoiceId: null,
        customerId: 'case',
        currency: this.currency,
        period: { period: period.name, from: period.from, to: period.to, timeZone: period.timeZone },
        seller: { name: 'Seller' },
        buyer: { name: 'Buyer' },
        paymentTermsDays: 14,
        issuedAt: period.to,
        cutoffPosition: '0' as Position,
        credits: this.credits.factsOf(period.name),
        pinnedVersions: { customer_version_id: 'case', meter_ids: [], price_segments: [] },
        lines,
        lineItemId: (lineKey) => `line/${lineKey}`,
        chargeIds: lines.flatMap(({ lineKey, charges }) => charges.map((_, index) => `charge/${lineKey}/${index}`)),
      }),
      number: 'INV-000001',
      documentHash: '',
    };
    invoiceEntry(invoice, period.name);
    this.credits.issued(period.name, invoice);
    return invoiceToWire(invoice);
  }

  private correctionDocument(period: CalendarPeriod, { total: subtotal, lines }: Correction): CaseDocument {
    const amount = (value: Correction['total'] | D): string => formatAmount(value, this.currency);
    const { currency } = this;
    const creditDraws = settleCredits(this.credits.factsOf(period.name), { subtotal, currency, periodEnd: period.to });
    this.credits.issued(period.name, { subtotal, creditDraws });
    const credits = creditsOf(creditDraws);
    const total = decimal(subtotal).minus(decimal(credits));
    return {
      type: total.lessThan(0) ? 'credit_note' : 'correction',
      status: 'issued',
      currency,
      subtotal: amount(subtotal),
      credits: amount(credits),
      credit_draws: creditDraws.map((draw) => ({ grant_id: draw.grantId, amount: amount(draw.amount) })),
      total: amount(total),
      lines: lines.map((line) => ({
        description: line.name ?? line.meter ?? '',
        meter: line.meter,
        group: line.group,
        quantity: line.quantity,
        amount: amount(line.amount),
        original_amount: amount(line.originalAmount),
        corrected_amount: amount(line.correctedAmount),
        calculation: {
          formula: line.rated?.formula ?? '',
          charges: line.rated?.charges.map(({ calculation }) => calculation) ?? [],
        },
      })),
    };
  }
}

/** Cases share their months, and finding the local midnights of one takes as long as the rest of a small case. */
const knownCuts = new Map<string, readonly Instant[]>();

function cutsWithin(period: CalendarPeriod): readonly Instant[] {
  const key = `${period.timeZone} ${period.from} ${period.to}`;
  const cuts = knownCuts.get(key) ?? cutsOf(period, period.timeZone);
  knownCuts.set(key, cuts);
  return cuts;
}

function invoicedAfter(invoiced: readonly InvoicedLine[], { lines }: Correction): readonly InvoicedLine[] {
  const after = new Map(invoiced.map((line) => [line.lineKey, line]));
  for (const { lineKey, meter, group, name, correctedAmount } of lines)
    after.set(lineKey, { lineKey, meter, group, amount: correctedAmount, ...(name !== undefined && { name }) });
  return [...after.values()];
}

function meterOf(meter: CaseMeter, version: number): Meter {
  const valueProperty = readPropertyOf(meter.aggregation, {
    valueProperty: meter.value_property ?? null,
    countProperty: meter.count_property ?? null,
  });
  const allowedLateness = meter.allowed_lateness ?? 'PT1H';
  parseDuration(allowedLateness, '/allowed_lateness');
  return {
    meterId: `${meter.code}/${version}`,
    code: meter.code,
    version,
    eventType: meter.event_type,
    aggregation: meter.aggregation,
    valueProperty,
    groupBy: meter.group_by ?? [],
    filters: meter.filters ?? {},
    windowSize: meter.window ?? 'hour',
    allowedLateness,
    allowNegative: meter.allow_negative ?? false,
    maxGroups: meter.max_groups ?? maxGroupsDefault,
    effectiveFrom:
      meter.effective_from === undefined ? null : parseEffectiveFrom(meter.effective_from, '/effective_from'),
  };
}
