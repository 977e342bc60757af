/** What a re-rating is about: from the wire to periods, with a refusal for every way to mean nothing. */
import { startOfLocalDay } from '../../calendar/time-zones.js';
import { DomainFailure } from '../../domain/failure.js';
import { keepsPins } from '../../domain/correction/reasons.js';
import { isOverrideCode } from '../../domain/rating/overrides.js';
import { startOfVersion } from '../../domain/rating/segments.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import { parseInstant } from '../../domain/time/instant.js';
import type { Instant } from '../../domain/values.js';
import type { PeriodKeyOf, ReRatingScope, ResolvedScope, Storage } from '../../storage/types.js';
import { parseReason, type ReRatingBody } from '../schemas/corrections.js';
import { requireConvertible } from './convertible.js';
import { requireCustomers } from './customers.js';
import { requireVersion } from './price-book-versions.js';

type ScopeStorage = Pick<Storage, 'reference' | 'periods' | 'reRatings'>;

export interface Resolved {
  readonly scope: ReRatingScope;
  readonly priceBookId: string | null;
  readonly targets: readonly PeriodKeyOf[];
}

/** Periods whose bounds are asked for at the same time. */
const atOnce = 16;
/** Periods that a refusal names. */
const named = 3;

/**
 * @throws DomainFailure EMPTY_RE_RATING_SCOPE, VALIDATION_FAILED, UNKNOWN_CUSTOMER, UNKNOWN_METER, UNKNOWN_PRICE_BOOK,
 *   CURRENCY_MISMATCH, EXCHANGE_RATE_MISSING, PRICE_BOOK_NOT_IN_FORCE, PERIOD_NOT_INVOICED, INVOICE_VOID, NOTHING_TO_RE_RATE; in this precedence
 */
export async function resolveReRating(storage: ScopeStorage, body: ReRatingBody): Promise<Resolved> {
  const scope = scopeOf(body.scope);
  refuseMovedPins(body);
  await requireCustomers(storage, scope.customerIds, '/scope/customer_ids');
  await requireMeters(storage, scope.meters);
  if (body.price_book === null) {
    return { scope, priceBookId: null, targets: targetsOf(await storage.reRatings.resolveScope(scope, null), scope) };
  }
  refuseOverride(body.price_book);
  const version = await requireVersion(storage, body.price_book);
  await requireCurrency(storage, version, scope);
  const targets = await targetsPricedBy(storage, scope, version);
  return { scope, priceBookId: version.priceBookId, targets };
}

/** @throws DomainFailure EMPTY_RE_RATING_SCOPE, VALIDATION_FAILED */
function scopeOf(wire: ReRatingBody['scope']): ReRatingScope {
  const scope = {
    customerIds: distinct(wire.customer_ids),
    meters: distinct(wire.meters),
    ...timeOf(wire, '/scope'),
  };
  const parts = [scope.customerIds, scope.meters, scope.from, scope.to].filter((part) => part !== null);
  const isEmpty = parts.length === 0 || scope.customerIds?.length === 0 || scope.meters?.length === 0;
  if (!isEmpty) return scope;
  const detail =
    'The scope names nothing. Give at least one of customer_ids, meters, from and to; lists are not empty.';
  throw new DomainFailure('EMPTY_RE_RATING_SCOPE', detail, '/scope');
}

/** Left out or null: not limited by it. */
export function distinct(names: readonly string[] | null | undefined): readonly string[] | null {
  return names === null || names === undefined ? null : [...new Set(names)];
}

/** @throws DomainFailure VALIDATION_FAILED when the interval is empty */
export function timeOf(
  wire: { readonly from?: string | null | undefined; readonly to?: string | null | undefined },
  pointer: string,
): Pick<ReRatingScope, 'from' | 'to'> {
  const { from: fromText = null, to: toText = null } = wire;
  const from = fromText === null ? null : parseInstant(fromText, `${pointer}/from`);
  const to = toText === null ? null : parseInstant(toText, `${pointer}/to`);
  if (from === null || to === null || from < to) return { from, to };
  throw new DomainFailure(
    'VALIDATION_FAILED',
    '"to" must come after "from": intervals are half-open.',
    `${pointer}/to`,
  );
}

/** RULES 21: what is learned about usage keeps the versions that the period was invoiced with. */
function refuseMovedPins({ reason, price_book: priceBook }: ReRatingBody): void {
  if (priceBook === null || !keepsPins(parseReason(reason))) return;
  const detail = `A re-rating for "${reason}" keeps the prices of the invoice. To move them give another reason, such as price_correction.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, '/price_book');
}

async function requireMeters({ reference }: ScopeStorage, codes: readonly string[] | null): Promise<void> {
  if (codes === null) return;
  const known = new Set((await reference.meters()).map(({ code }) => code));
  const index = codes.findIndex((code) => !known.has(code));
  if (index < 0) return;
  throw new DomainFailure('UNKNOWN_METER', `There is no meter "${codes[index] ?? ''}".`, `/scope/meters/${index}`);
}

/** @throws DomainFailure VALIDATION_FAILED */
function refuseOverride({ code }: { readonly code: string }): void {
  if (!isOverrideCode(code)) return;
  const detail =
    "A customer's own prices are not named: without a price book a re-rating takes what is known now, those prices included.";
  throw new DomainFailure('VALIDATION_FAILED', detail, '/price_book/code');
}

async function requireCurrency(
  storage: ScopeStorage,
  { code, currency }: PriceBookVersion,
  { customerIds }: ReRatingScope,
): Promise<void> {
  for (const customerId of customerIds ?? []) {
    const customer = await storage.reference.findCustomer(customerId);
    if (customer === null) continue;
    const [what, who] = [`The price book "${code}"`, `the customer "${customerId}"`];
    await requireConvertible(storage, customer, { currency, what, who, pointer: '/price_book/code' });
  }
}

/**
 * Customers that are named are priced by the version whatever priced them before; without names it is a correction of the
 * price book, and meets only what that book priced. Periods in which the version is never valid are left out.
 */
async function targetsPricedBy(
  storage: ScopeStorage,
  scope: ReRatingScope,
  version: PriceBookVersion,
): Promise<readonly PeriodKeyOf[]> {
  const pricedBy = scope.customerIds === null ? version.code : null;
  const resolved = await storage.reRatings.resolveScope(scope, pricedBy);
  const targets = await validIn(storage, resolved.targets, version);
  if (targets.length > 0) return targets;
  // Refuses a scope that meets nothing at all; else it is the price book that meets nothing.
  targetsOf(pricedBy === null ? resolved : await storage.reRatings.resolveScope(scope, null), scope);
  const detail = `The version "${version.version}" of "${version.code}" is not in force in any invoiced period of the scope.`;
  throw new DomainFailure('PRICE_BOOK_NOT_IN_FORCE', detail, '/price_book');
}

/** Also where the version begins after the period, but within the one that a fee of its price book was billed in advance for. */
async function validIn(
  { periods, reRatings }: ScopeStorage,
  targets: readonly PeriodKeyOf[],
  version: PriceBookVersion,
): Promise<readonly PeriodKeyOf[]> {
  const { effectiveUntil } = version;
  const bounded: { readonly target: PeriodKeyOf; readonly to: Instant; readonly begins: Instant }[] = [];
  for (let at = 0; at < targets.length; at += atOnce) {
    const some = targets.slice(at, at + atOnce);
    const bounds = await Promise.all(some.map(({ customerId, period }) => periods.periodNamed(customerId, period)));
    some.forEach((target, index) => {
      const period = bounds[index];
      if (period === null || period === undefined) return;
      if (effectiveUntil !== null && effectiveUntil <= period.from) return;
      const begins = startOfVersion(version, (day) => startOfLocalDay(day, period.timeZone));
      bounded.push({ target, to: period.to, begins });
    });
  }
  const after = bounded.filter(({ begins, to }) => begins >= to).map(({ target }) => target);
  const advances = new Map(
    (await reRatings.billedInAdvanceBy(version.code, after)).map(({ until, ...key }) => [keyOf(key), until]),
  );
  return bounded.flatMap(({ target, to, begins }) =>
    begins < to || begins < (advances.get(keyOf(target)) ?? to) ? [target] : [],
  );
}

const keyOf = ({ customerId, period }: PeriodKeyOf): string => JSON.stringify([customerId, period]);

/** @throws DomainFailure PERIOD_NOT_INVOICED, INVOICE_VOID, NOTHING_TO_RE_RATE */
function targetsOf({ targets, notInvoiced, voided }: ResolvedScope, { meters }: ReRatingScope): readonly PeriodKeyOf[] {
  if (targets.length > 0) return targets;
  if (voided.length > 0) {
    const detail = `The invoice is void: ${listOf(voided)}. Closing the period again issues its replacement.`;
    throw new DomainFailure('INVOICE_VOID', detail, '/scope');
  }
  // A period without an invoice has no lines that a meter could be looked for in.
  if (notInvoiced.length > 0 && meters === null) {
    const detail = `Not invoiced yet: ${listOf(notInvoiced)}. What is learned before the invoice is on it; there is nothing to correct. What was skipped as empty is billed by closing it again.`;
    throw new DomainFailure('PERIOD_NOT_INVOICED', detail, '/scope');
  }
  throw new DomainFailure('NOTHING_TO_RE_RATE', 'The scope meets no invoiced period.', '/scope');
}

function listOf(periods: readonly PeriodKeyOf[]): string {
  const some = periods.slice(0, named).map(({ customerId, period }) => `"${customerId}" ${period}`);
  return periods.length > named ? `${some.join(', ')} and others` : some.join(', ');
}
