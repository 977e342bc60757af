/** Customers, the versions of their facts, and which price book they have from when on. */
import { Prisma, type CustomerVersion, type PriceBookAssignment as AssignmentRow } from '@prisma/client';
import { calendarOf, changeCalendar } from '../calendar/calendar.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import { defaultLegalEntity } from '../domain/invoicing/invoice-number.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { Itemisation, Presentation } from '../domain/invoicing/presentation.js';
import { defaultTaxTreatment } from '../domain/tax/tax.js';
import type { TaxCategory, TaxTreatment } from '../domain/tax/tax.js';
import type { DecimalString, Instant } from '../domain/values.js';
import { canonicalJson } from './canonical-json.js';
import type { Database } from './database.js';
import { uuidOf } from './identifiers.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { partitionOf } from './partition.js';
import { dateOf, dateOfLocal, instantOf, localDateOf } from './row-types.js';
import type {
  Customer,
  CustomerFacts,
  InvoiceApproval,
  Page,
  PageRequest,
  PriceBookAssignment,
  ReferenceStore,
} from './types.js';

type CustomerStore = Pick<
  ReferenceStore,
  | 'putCustomer'
  | 'assignPriceBook'
  | 'findCustomer'
  | 'customerVersions'
  | 'assignments'
  | 'knownCustomers'
  | 'listCustomers'
>;

export function createCustomerStore(db: Database): CustomerStore {
  return {
    putCustomer: (customerId, facts, calendarFrom) => putCustomer(db, { customerId, facts, calendarFrom }),
    assignPriceBook: (customerId, priceBook, effectiveFrom, { effectiveUntil = null, decidedBy = 'unknown' } = {}) =>
      assignPriceBook(db, { customerId, priceBook, effectiveFrom, effectiveUntil, decidedBy }),
    findCustomer: async (customerId) => {
      const row = await db.prisma.customerVersion.findFirst({ where: { customerId }, orderBy: { version: 'desc' } });
      return row === null ? null : customerOf(row);
    },
    customerVersions: async (customerId) => (await versionsOf(db.prisma, customerId)).map(customerOf),
    assignments: async (customerId) => {
      const rows = await db.prisma.priceBookAssignment.findMany({
        where: { customerId },
        orderBy: { learnedOrder: 'asc' },
      });
      return rows.map(assignmentOf);
    },
    knownCustomers: async (customerIds) => {
      const { rows } = await db.pool.query<{ customer_id: string }>({
        name: 'known-customers',
        text: 'SELECT customer_id FROM customers WHERE customer_id = ANY ($1)',
        values: [customerIds],
      });
      return new Set(rows.map((row) => row.customer_id));
    },
    listCustomers: (page) => listCustomers(db, page),
  };
}

type Transaction = Prisma.TransactionClient;

/**
 * Locks the customer until the transaction ends; answers whether there is one. Whoever creates billing periods takes the
 * lock in shared mode (periods-create.ts), so that facts and periods are written one after the other.
 */
export async function lockCustomer(tx: Transaction, customerId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM customers WHERE customer_id = ${customerId} FOR NO KEY UPDATE`;
  return rows.length > 0;
}

interface PutCustomer {
  readonly customerId: string;
  readonly facts: CustomerFacts;
  readonly calendarFrom: Instant | null;
}

async function putCustomer(
  db: Database,
  put: PutCustomer,
): Promise<{ readonly customer: Customer; readonly created: boolean }> {
  const { customerId, facts } = put;
  return db.prisma.$transaction(async (tx) => {
    const inserted = await tx.customer.createMany({
      data: [{ customerId, partition: partitionOf(customerId) }],
      skipDuplicates: true,
    });
    invariant(await lockCustomer(tx, customerId), 'a customer that was inserted, or was there, is there');
    const versions = (await versionsOf(tx, customerId)).map(customerOf);
    const latest = versions.at(-1);
    const calendarFrom = await presentCalendarFrom(tx, put, versions);
    if (latest !== undefined && latest.calendarFrom === calendarFrom && sameFacts(latest, facts)) {
      return { customer: latest, created: false };
    }
    const version = (latest?.version ?? 0) + 1;
    const row = await tx.customerVersion.create({ data: versionRow(put, { version, calendarFrom }) });
    return { customer: customerOf(row), created: inserted.count > 0 };
  });
}

/**
 * The caller computed from when on the new calendar holds before this transaction had its lock. A period that was stored
 * meanwhile never changes (RULES 22), so where one reaches beyond that instant, the boundary after it takes its place.
 */
async function presentCalendarFrom(
  tx: Transaction,
  { customerId, facts, calendarFrom }: PutCustomer,
  versions: readonly Customer[],
): Promise<Instant | null> {
  if (calendarFrom === null || calendarFrom === versions.at(-1)?.calendarFrom) return calendarFrom;
  const last = await tx.billingPeriod.findFirst({ where: { customerId }, orderBy: { periodStart: 'desc' } });
  if (last === null || instantOf(last.periodEnd) <= calendarFrom) return calendarFrom;
  const change = { timeZone: facts.timeZone, anchorDay: facts.billingAnchorDay };
  const segments = changeCalendar(calendarOf(versions), change, instantOf(last.periodStart));
  return segments.at(-1)?.from ?? null;
}

async function assignPriceBook(
  db: Database,
  assignment: { readonly customerId: string } & Omit<PriceBookAssignment, 'learnedOrder' | 'learnedAt'>,
): Promise<void> {
  const { customerId, priceBook, effectiveFrom, effectiveUntil, decidedBy } = assignment;
  await db.prisma.$transaction(async (tx) => {
    if (!(await lockCustomer(tx, customerId))) {
      throw new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}"; create it first.`);
    }
    const rows = await tx.priceBookAssignment.findMany({ where: { customerId }, orderBy: { learnedOrder: 'asc' } });
    const last = rows.at(-1);
    if (last !== undefined && saysTheSame(assignmentOf(last), assignment)) return;
    await tx.priceBookAssignment.create({
      data: {
        assignmentId: uuidOf('price-book-assignment', customerId, rows.length + 1),
        customerId,
        priceBook,
        effectiveFrom: effectiveFrom === null ? null : dateOf(effectiveFrom),
        effectiveUntil: effectiveUntil === null ? null : dateOf(effectiveUntil),
        decidedBy,
      },
    });
  });
}

type Terms = Pick<PriceBookAssignment, 'priceBook' | 'effectiveFrom' | 'effectiveUntil'>;

function saysTheSame(a: Terms, b: Terms): boolean {
  return a.priceBook === b.priceBook && a.effectiveFrom === b.effectiveFrom && a.effectiveUntil === b.effectiveUntil;
}

const list = 'customers';

/** In order of customer id, each with its latest facts. */
async function listCustomers(db: Database, page: PageRequest): Promise<Page<Customer>> {
  const [after] = decodeCursor(page, list, [cursorPart.text]) ?? [];
  const rows = await db.prisma.customer.findMany({
    ...(after === undefined ? {} : { where: { customerId: { gt: after } } }),
    orderBy: { customerId: 'asc' },
    take: page.limit + 1,
    include: { versions: { orderBy: { version: 'desc' }, take: 1 } },
  });
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customerId]),
    ({ versions: [latest] }) => {
      invariant(latest !== undefined, 'a customer is created together with its first version');
      return customerOf(latest);
    },
  );
}

function versionsOf(client: Pick<Transaction, 'customerVersion'>, customerId: string): Promise<CustomerVersion[]> {
  return client.customerVersion.findMany({ where: { customerId }, orderBy: { version: 'asc' } });
}

function sameFacts(latest: CustomerFacts, facts: CustomerFacts): boolean {
  return canonicalJson(factsOf(latest)) === canonicalJson(factsOf(facts));
}

/** Only the facts, and the threshold by value. */
function factsOf(facts: CustomerFacts): CustomerFacts {
  return {
    name: facts.name,
    currency: facts.currency,
    timeZone: facts.timeZone,
    billingAnchorDay: facts.billingAnchorDay,
    billingFrom: facts.billingFrom,
    priceBook: facts.priceBook,
    invoiceDelay: facts.invoiceDelay,
    lateUsageQuietTime: facts.lateUsageQuietTime,
    skipEmptyInvoices: facts.skipEmptyInvoices,
    gracePeriod: facts.gracePeriod ?? 'PT0S',
    invoiceApproval: facts.invoiceApproval ?? 'none',
    approvalThreshold: facts.approvalThreshold === null ? null : plainText(new Prisma.Decimal(facts.approvalThreshold)),
    currencyConversion: facts.currencyConversion,
    tags: facts.tags,
    buyer: facts.buyer,
    legalEntity: facts.legalEntity ?? defaultLegalEntity,
    presentation: facts.presentation ?? defaultPresentation,
    tax: facts.tax ?? defaultTaxTreatment,
  };
}

function plainText(decimal: Prisma.Decimal): DecimalString {
  return decimal.toFixed() as DecimalString;
}

function versionRow(
  { customerId, facts }: PutCustomer,
  { version, calendarFrom }: { readonly version: number; readonly calendarFrom: Instant | null },
): Prisma.CustomerVersionUncheckedCreateInput {
  const { currencyConversion, presentation = defaultPresentation, tax = defaultTaxTreatment, ...columns } = facts;
  return {
    ...columns,
    ...presentation,
    taxTreatment: tax.treatment,
    taxExemptionReason: tax.exemptionReason,
    conversionSource: currencyConversion?.source ?? null,
    conversionMaxAgeDays: currencyConversion?.maxAgeDays ?? null,
    customerVersionId: uuidOf('customer-version', customerId, version),
    customerId,
    version,
    calendarFrom: calendarFrom === null ? null : dateOf(calendarFrom),
    billingFrom: dateOfLocal(facts.billingFrom),
  };
}

function customerOf(row: CustomerVersion): Customer {
  return {
    customerId: row.customerId,
    customerVersionId: row.customerVersionId,
    version: row.version,
    name: row.name,
    currency: row.currency,
    timeZone: row.timeZone,
    billingAnchorDay: row.billingAnchorDay,
    billingFrom: localDateOf(row.billingFrom),
    priceBook: row.priceBook,
    invoiceDelay: row.invoiceDelay,
    lateUsageQuietTime: row.lateUsageQuietTime,
    skipEmptyInvoices: row.skipEmptyInvoices,
    gracePeriod: row.gracePeriod,
    invoiceApproval: row.invoiceApproval as InvoiceApproval,
    approvalThreshold: row.approvalThreshold === null ? null : plainText(row.approvalThreshold),
    currencyConversion: conversionOf(row),
    tags: row.tags as Readonly<Record<string, string>>,
    buyer: row.buyer as Readonly<Record<string, string>>,
    legalEntity: row.legalEntity,
    ...documentFactsOf(row),
    calendarFrom: row.calendarFrom === null ? null : instantOf(row.calendarFrom),
    learnedAt: instantOf(row.learnedAt),
  };
}

/** Left out where they say nothing but the defaults. */
function documentFactsOf(row: CustomerVersion): Pick<Customer, 'presentation' | 'tax'> {
  const presentation = { itemisation: row.itemisation as Itemisation, locale: row.locale };
  const tax = { treatment: row.taxTreatment as TaxCategory, exemptionReason: row.taxExemptionReason };
  const isDefault = <T>(value: T, byDefault: T): boolean => canonicalJson(value) === canonicalJson(byDefault);
  return {
    ...(!isDefault<Presentation>(presentation, defaultPresentation) && { presentation }),
    ...(!isDefault<TaxTreatment>(tax, defaultTaxTreatment) && { tax }),
  };
}

function conversionOf({
  conversionSource: source,
  conversionMaxAgeDays: maxAgeDays,
}: Pick<CustomerVersion, 'conversionSource' | 'conversionMaxAgeDays'>): Customer['currencyConversion'] {
  return source === null || maxAgeDays === null ? null : { source, maxAgeDays };
}

function assignmentOf(row: AssignmentRow): PriceBookAssignment {
  return {
    priceBook: row.priceBook,
    effectiveFrom: row.effectiveFrom === null ? null : instantOf(row.effectiveFrom),
    effectiveUntil: row.effectiveUntil === null ? null : instantOf(row.effectiveUntil),
    learnedOrder: Number(row.learnedOrder),
    decidedBy: row.decidedBy,
    learnedAt: instantOf(row.learnedAt),
  };
}
