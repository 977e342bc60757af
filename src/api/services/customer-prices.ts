/** Which prices a customer has when: assignments of price books, and prices of the customer's own beside them. */
import { membershipsOf } from '../../billing/price-rollouts.js';
import { startOfLocalDay } from '../../calendar/time-zones.js';
import { DomainFailure } from '../../domain/failure.js';
import { assignmentAt, currentAssignments, holdsUntil } from '../../domain/rating/assignments.js';
import { overrideCode } from '../../domain/rating/overrides.js';
import { parsePriceBook, requireMetersOf } from '../../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import { priceBookToWire } from '../../domain/rating/price-book-to-wire.js';
import { versionInForce } from '../../domain/rating/segments.js';
import { isLocalDate, parseEffectiveFrom } from '../../domain/time/effective-from.js';
import { parseLocalDate } from '../../domain/time/local-date.js';
import type { Instant } from '../../domain/values.js';
import type { Customer, PriceOverride, Storage } from '../../storage/types.js';
import type { OverrideBody } from '../schemas/customer-prices.js';
import { requireConvertible } from './convertible.js';
import { requireCustomer } from './customers.js';

type PriceStorage = Pick<Storage, 'reference' | 'rollouts'>;

/**
 * @throws DomainFailure UNKNOWN_CUSTOMER, UNKNOWN_METER, CURRENCY_MISMATCH, EXCHANGE_RATE_MISSING, VALIDATION_FAILED for a fee, and the refusals of a price book
 */
export async function putOverride(
  storage: PriceStorage,
  customerId: string,
  { body, actor }: { readonly body: OverrideBody; readonly actor: string },
): Promise<{ readonly override: PriceOverride; readonly created: boolean }> {
  const customer = await requireCustomer(storage, customerId);
  const { reason, currency = customer.currency, ...terms } = body;
  const until = localEnd(terms, customer);
  const wire = { ...terms, ...(until !== null && { effective_until: null }), code: 'override', version: '1', currency };
  const { code: _code, version: _version, ...parsed } = parsePriceBook(wire);
  const content = until === null ? parsed : { ...parsed, effectiveUntil: until };
  refuseFees(content);
  const [what, who] = ['The override', `the customer "${customerId}"`];
  await requireConvertible(storage, customer, { currency, what, who, pointer: '/currency' });
  requireMetersOf({ ...content, code: 'override', version: '1' }, await storage.reference.meters(), wire);
  return storage.reference.putPriceOverride(customerId, content, { reason, decidedBy: actor });
}

/** Where the end is a local date: midnight in the customer's zone of now, as the end of an assignment is; null: it is none. */
function localEnd(
  { effective_from: from, effective_until: text = null }: Pick<OverrideBody, 'effective_from' | 'effective_until'>,
  { timeZone }: Pick<Customer, 'timeZone'>,
): Instant | null {
  if (text === null || !isLocalDate(text)) return null;
  const until = startOfLocalDay(parseLocalDate(text, '/effective_until'), timeZone);
  const start = parseEffectiveFrom(from, '/effective_from');
  const begin = isLocalDate(start) ? startOfLocalDay(start, timeZone) : start;
  if (begin < until) return until;
  const detail = '"effective_until" must come after "effective_from".';
  throw new DomainFailure('VALIDATION_FAILED', detail, '/effective_until');
}

/** A fee is due for the assignment of a price book; there is no meter by which another one could stand in for it. */
function refuseFees({ fees }: Pick<PriceBookVersion, 'fees'>): void {
  const [first] = fees;
  if (first === undefined) return;
  const detail = `"${first.name}" is a fee. An override prices meters; for other fees assign a price book of the customer's own.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, '/prices');
}

export function toApiOverride({ customerId, priceBook, reason, decidedBy, decidedAt }: PriceOverride): object {
  const { code, version, ...wire } = priceBookToWire(priceBook);
  return {
    customer_id: customerId,
    version: Number(version),
    price_book: code,
    ...wire,
    reason,
    decided_by: decidedBy,
    decided_at: decidedAt,
  };
}

/** @throws DomainFailure UNKNOWN_CUSTOMER */
export async function priceBooksAt(
  { reference, rollouts }: PriceStorage,
  customerId: string,
  at: Instant,
): Promise<object> {
  const { timeZone } = await requireCustomer({ reference }, customerId);
  const assignments = await reference.assignments(customerId);
  const current = currentAssignments(assignments);
  const inForce = assignmentAt(current, at);
  const versionOf = async (code: string): Promise<object | null> => {
    const versions = await reference.priceBookVersions(code);
    const memberships = await membershipsOf({ rollouts }, versions, { customerId, timeZone, assignments });
    return toApiVersion(
      versionInForce(versions, at, { startOfDay: (day) => startOfLocalDay(day, timeZone), memberships }),
    );
  };
  const override = await versionOf(overrideCode(customerId));
  return {
    customer_id: customerId,
    at,
    in_force: inForce === null ? null : await versionOf(inForce.priceBook),
    override,
    assignments: assignments.map((assignment) => ({
      price_book: assignment.priceBook,
      from: assignment.effectiveFrom,
      until: current.includes(assignment) ? holdsUntil(assignment, current) : assignment.effectiveUntil,
      ends_at: assignment.effectiveUntil,
      replaced: !current.includes(assignment),
      in_force: assignment === inForce,
      decided_by: assignment.decidedBy,
      decided_at: assignment.learnedAt,
    })),
  };
}

function toApiVersion(version: PriceBookVersion | null): object | null {
  if (version === null) return null;
  return { price_book: version.code, version: version.version, effective_from: version.effectiveFrom };
}
