import { compareWithInvoiced } from '../../domain/correction/compare.js';
import type { Correction, CorrectionLine } from '../../domain/correction/compare.js';
import { invoicedLines } from '../../domain/correction/invoiced.js';
import { retiredCharges } from '../../domain/correction/retire.js';
import { zero } from '../../domain/decimal.js';
import { invariant } from '../../domain/failure.js';
import { buildCorrection } from '../../domain/invoicing/build-correction.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { lineKeyOfCharge } from '../../domain/rating/line-key.js';
import type { RatedLine } from '../../domain/rating/rating.js';
import { customerOf, pinnedPriceFacts, rateWith } from '../../billing/price-facts.js';
import type { PriceFacts } from '../../billing/price-facts.js';
import { chargeCodeOf } from '../../domain/invoicing/line-item.js';
import { CorrectionHeld } from '../../domain/settlement/beside-notes.js';
import { noTaxProvider, TaxUnavailable } from '../../domain/tax/tax.js';
import { taxOfCorrection } from '../../billing/document-tax.js';
import { canonicalJson } from '../../storage/canonical-json.js';
import type {
  BillingPeriod,
  Comparison,
  Customer,
  GateTransaction,
  NewFinding,
  PeriodRating,
  ReRating,
} from '../../storage/types.js';
import type { ActivityDependencies } from '../dependencies.js';
import { issueDocument, nextDocument, reportIssued } from '../issue-document.js';
import { periodOf } from '../period-facts.js';
import { creditNotesBeside } from './credit-notes-beside.js';

export type Corrected =
  | { readonly outcome: 'corrected'; readonly number: string; readonly invoice: Invoice }
  | { readonly outcome: 'no_difference' }
  /** It would give back again what a person has credited, or written off; or nobody can say its tax. */
  | { readonly outcome: 'held' }
  /** The chain ends elsewhere than when it was compared. */
  | { readonly outcome: 'moved' };

/**
 * Settles one period as it was compared: rates it again from the revisions at the comparison's cutoff with its versions,
 * and issues the difference with charges, number, journal entry, rating and outcome in one transaction.
 */
export async function correctPeriod(
  dependencies: ActivityDependencies,
  { reRating, comparison }: { readonly reRating: ReRating; readonly comparison: Comparison },
): Promise<Corrected> {
  const { storage } = dependencies;
  const period = await periodOf(storage, comparison);
  const customer = await customerOf(storage, comparison.customerId);
  const facts = await pinnedPriceFacts(storage, period, {
    pins: comparison.pinnedVersions,
    currency: comparison.currency,
  });
  const late = await storage.periods.veryLateFacts(period);
  const hasLateFacts = late.from !== null && BigInt(late.from) <= BigInt(comparison.cutoff);
  const atGate = async (gate: GateTransaction): Promise<Corrected> =>
    hasMoved(gate, comparison)
      ? { outcome: 'moved' }
      : settle(gate, { dependencies, reRating, comparison, period, customer, facts, hasLateFacts });
  const corrected = await orHeld(storage.billing.atGate(period, atGate), (why) =>
    storage.billing.atGate(period, (gate) => hold(gate, comparison, why)),
  );
  if (corrected.outcome === 'corrected') await reportIssued(dependencies, corrected.invoice);
  return corrected;
}

const hasMoved = ({ chain }: GateTransaction, { ratingSequence }: Comparison): boolean =>
  chain.rating?.sequence !== ratingSequence || chain.documents.length === 0;

async function orHeld(correcting: Promise<Corrected>, held: (why: WhyHeld) => Promise<Corrected>): Promise<Corrected> {
  try {
    return await correcting;
  } catch (error) {
    if (error instanceof CorrectionHeld) return held(error);
    if (error instanceof TaxUnavailable) return held(untaxed(error));
    throw error;
  }
}

type WhyHeld = Pick<CorrectionHeld, 'detail' | 'subject'> & { readonly code: NewFinding['code'] };

/** A line that its chain cannot speak for (RULES 56); tried again by whoever re-rates the period. */
const untaxed = ({ code, detail }: TaxUnavailable): WhyHeld => ({
  code,
  detail: `${detail} The correction is not issued: once its tax can be said, re-rate the period.`,
  // Another finding than that of the original, which may have been held before.
  subject: { document: 'correction' },
});

/** In a transaction of its own: nothing that the correction had written may stay. */
async function hold(gate: GateTransaction, comparison: Comparison, why: WhyHeld): Promise<Corrected> {
  if (hasMoved(gate, comparison)) return { outcome: 'moved' };
  const { reRatingId, customerId, period, attempt } = comparison;
  const { code, detail } = why;
  const subject = { customer_id: customerId, period, ...why.subject };
  await gate.storeFinding({ code, customerId, period, subject, detail });
  // The last comparison is what GET /re-ratings shows.
  const held = { result: 'held', difference: zero, needsApproval: false, differences: [] } as const;
  await gate.recordComparison({ ...comparison, ...held, attempt: attempt + 1, detail });
  await gate.recordReRatingOutcome({ reRatingId, customerId, period, outcome: 'held', invoiceId: null });
  return { outcome: 'held' };
}

interface SettleFacts {
  readonly dependencies: ActivityDependencies;
  readonly reRating: ReRating;
  readonly comparison: Comparison;
  readonly period: BillingPeriod;
  readonly customer: Customer;
  readonly facts: PriceFacts;
  /** Facts that the comparison covers and no rating before it. */
  readonly hasLateFacts: boolean;
}

async function settle(gate: GateTransaction, input: SettleFacts): Promise<Corrected> {
  const { reRating, comparison, period, facts } = input;
  const { cutoff, customerId } = comparison;
  const rated = await rateWith(facts, period, {
    usage: (segments, meterIds, next) => gate.segmentUsage(segments, { meterIds, cutoff }, next),
    groups: (meters) => gate.meterGroups(meters, { cutoff }),
    events: (meterIds, visit) => gate.eachEvent(meterIds, visit, { cutoff }),
  });
  invariant(rated.problems.length === 0, `${customerId} ${period.period} was compared without a problem`);
  const correction = compareWithInvoiced(invoicedLines(gate.chain.documents), rated.lines);
  invariant(
    (correction?.total ?? '0') === comparison.difference,
    `the correction of ${customerId} ${period.period} is what was compared: ${comparison.difference}`,
  );
  const charges = await storeCharges(gate, { lines: rated.lines, cutoff });
  const invoice = correction === null ? null : await issue(gate, { ...input, correction, charges });
  const rating = {
    cutoff,
    pinnedVersions: comparison.pinnedVersions,
    chargeIds: charges.current,
    invoiceId: invoice?.invoiceId ?? null,
    reRatingId: reRating.reRatingId,
  };
  if (input.hasLateFacts || isNews(rating, gate.chain.rating)) await gate.insertRating(rating);
  const outcome = invoice === null ? 'no_difference' : 'corrected';
  await gate.recordReRatingOutcome({
    reRatingId: reRating.reRatingId,
    customerId,
    period: period.period,
    outcome,
    invoiceId: invoice?.invoiceId ?? null,
  });
  return invoice === null ? { outcome: 'no_difference' } : { outcome: 'corrected', number: invoice.number, invoice };
}

/** A rating that says what the last one said would only make every other re-rating of the period compare again. */
function isNews(rating: Omit<PeriodRating, 'sequence'>, last: PeriodRating | null): boolean {
  const content = ({ pinnedVersions, chargeIds }: Omit<PeriodRating, 'sequence'>): string =>
    canonicalJson({ pinnedVersions, chargeIds });
  return rating.invoiceId !== null || last === null || content(rating) !== content(last);
}

interface StoredCharges {
  readonly current: readonly string[];
  /** By line key, of the charges that were rated and of those that were retired. */
  readonly byLine: ReadonlyMap<string, readonly string[]>;
}

async function storeCharges(
  gate: GateTransaction,
  { lines, cutoff }: { readonly lines: readonly RatedLine[]; readonly cutoff: Comparison['cutoff'] },
): Promise<StoredCharges> {
  const current = lines.flatMap(({ charges }) => charges);
  const before = await gate.chargesOf(gate.chain.rating?.chargeIds ?? []);
  const all = [...current, ...retiredCharges(before, current)];
  const ids = await gate.storeCharges(all, cutoff);
  const byLine = new Map<string, string[]>();
  for (const [index, charge] of all.entries()) {
    const id = ids[index];
    if (id === undefined) continue;
    const key = lineKeyOfCharge(charge);
    byLine.set(key, [...(byLine.get(key) ?? []), id]);
  }
  return { current: ids.slice(0, current.length), byLine };
}

async function issue(
  gate: GateTransaction,
  input: SettleFacts & { readonly correction: Correction; readonly charges: StoredCharges },
): Promise<Invoice> {
  const { dependencies, reRating, comparison, period, customer, correction, charges } = input;
  const { documents } = gate.chain;
  const [original] = documents;
  invariant(original !== undefined, 'a chain that is corrected has an original');
  const firstLines = new Map(invoicedLines(documents).map((line) => [line.lineKey, line.firstLineItemId]));
  const next = await nextDocument(gate, dependencies, { period, customer });
  const tax = await taxOfCorrection(
    dependencies.tax ?? noTaxProvider,
    { ...next, period, customer, currency: comparison.currency, earlier: documents },
    correction.lines.map((line) => ({
      lineKey: line.lineKey,
      chargeCode: line.rated === null ? chargeCodeOf(line) : chargeCodeOf(line.rated),
      amount: line.amount,
    })),
  );
  const document = buildCorrection({
    ...next,
    ...(tax !== null && { tax }),
    meters: input.facts.meters,
    correctsInvoiceId: original.invoiceId,
    currency: comparison.currency,
    cutoffPosition: comparison.cutoff,
    pinnedVersions: comparison.pinnedVersions,
    correction,
    reason: reRating.reason,
    correctsLineItemId: (lineKey) => firstLines.get(lineKey) ?? null,
    chargeIds: ({ lineKey }: CorrectionLine) => charges.byLine.get(lineKey) ?? [],
  });
  const invoice = await issueDocument(gate, document, reRating.requestedBy);
  const beside = creditNotesBeside(invoice, original, await gate.creditNotes(original.invoiceId));
  if (beside !== null) await gate.storeFinding(beside);
  return invoice;
}
