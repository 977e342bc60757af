/** PUT /customers: the facts of a customer, and the billing periods that follow from them. */
import type { FastifyBaseLogger } from 'fastify';
import {
  calendarFromOf,
  calendarOf,
  periodContaining,
  type CalendarPeriod,
  type CalendarSegment,
} from '../../calendar/calendar.js';
import { parseTimeZone, startOfLocalDay } from '../../calendar/time-zones.js';
import { DomainFailure } from '../../domain/failure.js';
import { defaultLegalEntity } from '../../domain/invoicing/invoice-number.js';
import { unknownLegalEntity } from '../../domain/invoicing/legal-entity.js';
import { isOverrideCode } from '../../domain/rating/overrides.js';
import { isLocalDate } from '../../domain/time/effective-from.js';
import { addMs, isHourAligned, msToInstant, parseInstant } from '../../domain/time/instant.js';
import type { DecimalString, Instant, LocalDate } from '../../domain/values.js';
import { everyPage } from '../../storage/every-page.js';
import type {
  BillingPeriodStatus,
  Customer,
  CustomerFacts,
  PriceBookAssignment,
  Storage,
} from '../../storage/types.js';
import type { CustomerBody } from '../schemas/reference.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { requireConvertible } from './convertible.js';

/** Workflows of past periods that one PUT starts; the daily sweep starts those beyond. */
const pastPeriodsMax = 36;

export interface CustomerView {
  readonly customer: Customer;
  readonly assignment: PriceBookAssignment | null;
}

export interface CustomerServiceDependencies {
  readonly storage: Pick<Storage, 'reference' | 'periods' | 'numbering'>;
  readonly temporal: TemporalGateway;
  readonly clock: () => number;
  readonly logger: FastifyBaseLogger;
}

export class CustomerService {
  private readonly starting = new Set<Promise<void>>();

  constructor(private readonly deps: CustomerServiceDependencies) {}

  /**
   * @throws DomainFailure UNKNOWN_PRICE_BOOK, UNKNOWN_LEGAL_ENTITY, CURRENCY_MISMATCH, EXCHANGE_RATE_MISSING, CURRENCY_LOCKED, EFFECTIVE_FROM_NOT_ALIGNED
   */
  async put(
    customerId: string,
    body: CustomerBody,
    decidedBy: string,
  ): Promise<CustomerView & { readonly created: boolean }> {
    const { reference } = this.deps.storage;
    const now = msToInstant(this.deps.clock());
    const versions = await reference.customerVersions(customerId);
    const timeZone = parseTimeZone(body.time_zone);
    const assigned = {
      from: assignmentBound(body.price_book_from, timeZone, '/price_book_from'),
      until: assignmentBound(body.price_book_until, timeZone, '/price_book_until'),
    };
    await this.requirePriceBook(body);
    await this.requireLegalEntity(body.legal_entity);
    await this.requireCurrencyFree(customerId, versions.at(-1), body.currency);

    const place = { timeZone, billingAnchorDay: body.billing_anchor_day };
    // Stored periods never change, so a new calendar begins after the last of them.
    const last = await this.deps.storage.periods.lastStart(customerId);
    const calendarFrom = calendarFromOf(versions, place, last !== null && last > now ? last : now);
    const facts = factsOf(body, { ...place, billingFrom: billingFromOf(body, versions, { ...place, now }) });
    const assignment = await this.newAssignment(customerId, body.price_book, assigned);
    const { customer, created } = await reference.putCustomer(customerId, facts, calendarFrom);
    if (assignment !== null) {
      const { effectiveFrom, effectiveUntil } = assignment;
      await reference.assignPriceBook(customerId, body.price_book, effectiveFrom, { effectiveUntil, decidedBy });
    }
    this.startPeriods(customer, now);
    return { customer, created, assignment: await this.latestAssignment(customerId) };
  }

  /** @throws DomainFailure UNKNOWN_CUSTOMER */
  async get(customerId: string): Promise<CustomerView> {
    const customer = await requireCustomer(this.deps.storage, customerId);
    return { customer, assignment: await this.latestAssignment(customerId) };
  }

  async latestAssignment(customerId: string): Promise<PriceBookAssignment | null> {
    const assignments = await this.deps.storage.reference.assignments(customerId);
    return assignments.reduce<PriceBookAssignment | null>(
      (latest, each) => (latest === null || each.learnedOrder > latest.learnedOrder ? each : latest),
      null,
    );
  }

  /** Resolves when no start of a workflow is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.starting);
  }

  private async requirePriceBook(body: CustomerBody): Promise<void> {
    const versions = isOverrideCode(body.price_book)
      ? []
      : await this.deps.storage.reference.priceBookVersions(body.price_book);
    if (versions.length === 0) {
      const detail = `There is no price book "${body.price_book}". Create it with POST /price-books first.`;
      throw new DomainFailure('UNKNOWN_PRICE_BOOK', detail, '/price_book');
    }
    const other = versions.find(({ currency }) => currency !== body.currency);
    if (other === undefined) return;
    const customer = { currency: body.currency, currencyConversion: conversionOf(body) };
    const [what, who] = [`The price book "${body.price_book}"`, 'the customer'];
    const pointer = customer.currencyConversion === null ? '/currency' : '/currency_conversion';
    await requireConvertible(this.deps.storage, customer, { currency: other.currency, what, who, pointer });
  }

  private async requireLegalEntity(code: string): Promise<void> {
    if (code === defaultLegalEntity) return;
    const versions = await this.deps.storage.numbering.entityVersions(code);
    if (versions.length === 0) throw unknownLegalEntity(code, '/legal_entity');
  }

  /** RULES 22: the currency cannot change while a period is open. */
  private async requireCurrencyFree(customerId: string, latest: Customer | undefined, currency: string): Promise<void> {
    if (latest === undefined || latest.currency === currency) return;
    for await (const period of this.storedPeriods(customerId)) {
      if (period.stage === 'invoiced' || period.stage === 'skipped') continue;
      const detail = `The billing period ${period.period} is not invoiced yet; it is billed in ${latest.currency}.`;
      throw new DomainFailure('CURRENCY_LOCKED', detail, '/currency');
    }
  }

  private async *storedPeriods(customerId: string): AsyncGenerator<BillingPeriodStatus> {
    const { periods } = this.deps.storage;
    for await (const page of everyPage((request) => periods.listPeriods(customerId, request), 100)) yield* page;
  }

  /**
   * Left out, `price_book_from` and `price_book_until` keep the assignment there is, and assign another price book from the
   * beginning without an end. null: there is nothing new to assign.
   */
  private async newAssignment(
    customerId: string,
    priceBook: string,
    { from, until }: AssignmentBounds,
  ): Promise<Pick<PriceBookAssignment, 'effectiveFrom' | 'effectiveUntil'> | null> {
    const latest = await this.latestAssignment(customerId);
    const kept = latest?.priceBook === priceBook ? latest : null;
    const effectiveFrom = from === undefined ? (kept?.effectiveFrom ?? null) : from;
    const isSameStart = kept !== null && kept.effectiveFrom === effectiveFrom;
    const effectiveUntil = until === undefined ? (isSameStart ? kept.effectiveUntil : null) : until;
    requireEndAfterStart(effectiveFrom, effectiveUntil);
    return isSameStart && kept.effectiveUntil === effectiveUntil ? null : { effectiveFrom, effectiveUntil };
  }

  /** In the background and best effort: with Temporal away the daily sweep starts them. */
  private startPeriods(customer: Customer, now: Instant): void {
    const work = this.startEach(customer, now).catch((error: unknown) => {
      this.deps.logger.warn(
        { err: error, customerId: customer.customerId },
        'billing periods were not started; the sweep will',
      );
    });
    this.starting.add(work);
    void work.then(() => this.starting.delete(work));
  }

  private async startEach({ customerId, billingFrom, timeZone }: Customer, now: Instant): Promise<void> {
    const { storage, temporal } = this.deps;
    const segments = calendarOf(await storage.reference.customerVersions(customerId));
    for (const { name } of periodsSince(segments, startOfLocalDay(billingFrom, timeZone), now)) {
      const stage = (await storage.periods.status(customerId, name))?.stage ?? 'open';
      if (stage === 'open' || stage === 'closing') await temporal.startBillingPeriod(customerId, name);
    }
  }
}

/** The period of now and those before it back to the one that contains `first`, newest first and bounded. */
function periodsSince(segments: readonly CalendarSegment[], first: Instant, now: Instant): readonly CalendarPeriod[] {
  const periods: CalendarPeriod[] = [];
  if (first > now) return periods;
  let period = periodContaining(segments, now);
  periods.push(period);
  while (period.from > first && periods.length <= pastPeriodsMax) {
    period = periodContaining(segments, addMs(period.from, -1));
    periods.push(period);
  }
  return periods;
}

/**
 * @param pointer where the body names it
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function requireCustomer(
  { reference }: Pick<Storage, 'reference'>,
  customerId: string,
  pointer?: string,
): Promise<Customer> {
  const customer = await reference.findCustomer(customerId);
  if (customer !== null) return customer;
  const detail = `There is no customer "${customerId}". PUT /customers/{customer_id} creates one.`;
  throw new DomainFailure('UNKNOWN_CUSTOMER', detail, pointer);
}

/** @throws DomainFailure UNKNOWN_CUSTOMER */
export async function requireCustomers(
  { reference }: Pick<Storage, 'reference'>,
  customerIds: readonly string[] | null,
  pointer: string,
): Promise<void> {
  if (customerIds === null) return;
  const known = await reference.knownCustomers(customerIds);
  const index = customerIds.findIndex((id) => !known.has(id));
  if (index < 0) return;
  const detail = `There is no customer "${customerIds[index] ?? ''}".`;
  throw new DomainFailure('UNKNOWN_CUSTOMER', detail, `${pointer}/${index}`);
}

/** Prices change on a full hour of UTC or at a local midnight, because usage is cut there and nowhere else (RULES 19). */
function assignmentBound(
  text: string | null | undefined,
  timeZone: string,
  pointer: string,
): Instant | null | undefined {
  if (text === null || text === undefined) return text;
  if (isLocalDate(text)) return startOfLocalDay(text, timeZone);
  const at = parseInstant(text, pointer);
  if (isHourAligned(at)) return at;
  const detail =
    'A price book is assigned from a full hour of UTC on, or from a local date such as "2024-01-15", and so it ends.';
  throw new DomainFailure('EFFECTIVE_FROM_NOT_ALIGNED', detail, pointer);
}

/** Left out: as it is. */
interface AssignmentBounds {
  readonly from: Instant | null | undefined;
  readonly until: Instant | null | undefined;
}

function requireEndAfterStart(from: Instant | null, until: Instant | null): void {
  if (from === null || until === null || from < until) return;
  const detail = `"price_book_until" must come after the assignment's start, which is ${from}.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, '/price_book_until');
}

interface Place {
  readonly timeZone: string;
  readonly billingAnchorDay: number;
}

/** Not given, it stays what it was; for a new customer it is the period that contains now. */
function billingFromOf(
  body: CustomerBody,
  versions: readonly Customer[],
  { timeZone, billingAnchorDay, now }: Place & { readonly now: Instant },
): LocalDate {
  if (body.billing_from !== undefined) return body.billing_from as LocalDate;
  const [first] = versions;
  if (first !== undefined) return versions.at(-1)?.billingFrom ?? first.billingFrom;
  return periodContaining([{ timeZone, anchorDay: billingAnchorDay, from: null }], now).name;
}

function conversionOf({ currency_conversion: conversion }: CustomerBody): Customer['currencyConversion'] {
  return conversion === null ? null : { source: conversion.source, maxAgeDays: conversion.max_age_days };
}

function factsOf(body: CustomerBody, place: Place & { readonly billingFrom: LocalDate }): CustomerFacts {
  return {
    ...place,
    name: body.name,
    currency: body.currency,
    priceBook: body.price_book,
    invoiceDelay: body.invoice_delay,
    lateUsageQuietTime: body.late_usage_quiet_time,
    skipEmptyInvoices: body.skip_empty_invoices,
    gracePeriod: body.grace_period,
    invoiceApproval: body.invoice_approval,
    approvalThreshold: body.approval_threshold as DecimalString | null,
    currencyConversion: conversionOf(body),
    tags: body.tags,
    legalEntity: body.legal_entity,
    buyer: Object.fromEntries(
      Object.entries(body.buyer).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
    presentation: { itemisation: body.itemisation, locale: body.locale },
    tax: { treatment: body.tax.treatment, exemptionReason: body.tax.exemption_reason },
  };
}
