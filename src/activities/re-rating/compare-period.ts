import { compareWithInvoiced } from '../../domain/correction/compare.js';
import type { Correction } from '../../domain/correction/compare.js';
import { invoicedLines } from '../../domain/correction/invoiced.js';
import { addDecimals, decimal, toDecimalString, zero } from '../../domain/decimal.js';
import { DomainFailure } from '../../domain/failure.js';
import type { DecimalString } from '../../domain/values.js';
import type { PinnedVersions } from '../../domain/invoicing/invoice.js';
import { customerOf, pinnedOf, pinsOf, rateWith } from '../../billing/price-facts.js';
import { brokenSettlement } from '../../billing/reconcile-period.js';
import type { PriceFacts } from '../../billing/price-facts.js';
import type {
  BillingPeriod,
  Comparison,
  GateTransaction,
  PeriodChain,
  PeriodKeyOf,
  PeriodRating,
  ReRating,
} from '../../storage/types.js';
import type { ActivityDependencies } from '../dependencies.js';
import { doubleFinding } from '../before-issue.js';
import { brokenFinding, holdingFindings } from '../held-findings.js';
import { periodOf } from '../period-facts.js';
import { newPriceFacts } from './new-price-facts.js';

/** Who repairs what a reconciliation found missing: aggregates everything anew. */
export const reconciliationActor = 'reconciliation';

/**
 * Compares what a period should cost now with everything invoiced so far, in one gate transaction at one cutoff, and stores
 * the comparison. Usage revisions and the comparison are all it appends.
 */
export async function comparePeriod(
  dependencies: ActivityDependencies,
  {
    reRating,
    target,
    attempt,
  }: { readonly reRating: ReRating; readonly target: PeriodKeyOf; readonly attempt: number },
): Promise<Comparison> {
  const { storage } = dependencies;
  const period = await periodOf(storage, target);
  const customer = await customerOf(storage, target.customerId);
  for (;;) {
    const chain = await storage.proof.chain(target);
    const facts = await factsOf(dependencies, period, { reRating, chain });
    const broken = await brokenSettlement(storage, period, { chain, usage: !isUsageInDoubt(reRating) });
    const compared = await storage.billing.atGate(period, async (gate) => {
      // The versions were read for another end of the chain: once more.
      if (!endsAlike(gate.chain, chain)) return null;
      const comparison = await compare(gate, {
        reRating,
        period,
        attempt,
        facts,
        broken,
        threshold: customer.approvalThreshold,
      });
      await gate.recordComparison(comparison);
      if (comparison.result === 'held')
        await gate.recordReRatingOutcome({ ...keyOf(comparison), outcome: 'held', invoiceId: null });
      return comparison;
    });
    if (compared !== null) return compared;
  }
}

/** Same rating and nothing voided in between. */
function endsAlike(a: PeriodChain, b: PeriodChain): boolean {
  return (
    a.rating?.sequence === b.rating?.sequence &&
    a.documents.length === b.documents.length &&
    a.voided?.invoiceId === b.voided?.invoiceId
  );
}

const keyOf = ({ reRatingId, customerId, period }: Comparison) => ({ reRatingId, customerId, period });

interface HeldFacts {
  readonly held: string;
}

async function factsOf(
  { storage }: ActivityDependencies,
  period: BillingPeriod,
  { reRating, chain }: { readonly reRating: ReRating; readonly chain: PeriodChain },
): Promise<PriceFacts | HeldFacts> {
  const pinned = pinnedOf(chain);
  if (pinned === null) {
    const what = chain.voided === null ? 'not invoiced' : `void (${chain.voided.number})`;
    return { held: `The period is ${what}: there is nothing to correct. Close it to have it invoiced.` };
  }
  try {
    const pins = decidedByUsage(pinned.pins, chain);
    const facts = await newPriceFacts(storage, period, { reRating, pinned: { ...pinned, pins } });
    if (facts.currency === pinned.currency) return facts;
    return { held: `The customer's currency is ${facts.currency} now; the invoice is in ${pinned.currency}.` };
  } catch (error) {
    if (error instanceof DomainFailure) return { held: error.detail };
    throw error;
  }
}

/**
 * The pins of its last rating. An opening period that was pinned as one for good, before usage decided (ADR-029), and of which no usage
 * was billed so far, is decided by usage from here on: what it was billed is the same by both.
 */
function decidedByUsage(pins: PinnedVersions, { documents }: PeriodChain): PinnedVersions {
  const isBilled = documents.some(({ lines }) => lines.some(({ meter }) => meter !== null));
  return pins.opening === true && !isBilled ? { ...pins, opening: 'unless_used' } : pins;
}

interface ComparisonFacts {
  readonly reRating: ReRating;
  readonly period: BillingPeriod;
  readonly attempt: number;
  readonly facts: PriceFacts | HeldFacts;
  /** Why what was settled so far does not stand; empty: it does. */
  readonly broken: Awaited<ReturnType<typeof brokenSettlement>>;
  readonly threshold: DecimalString | null;
}

async function compare(gate: GateTransaction, input: ComparisonFacts): Promise<Comparison> {
  const { reRating, period, attempt, facts, broken, threshold } = input;
  const { rating, documents } = gate.chain;
  const base = {
    reRatingId: reRating.reRatingId,
    attempt,
    customerId: period.customerId,
    period: period.period,
    ratingSequence: rating?.sequence ?? 0,
    cutoff: gate.cutoff,
    currency: documents[0]?.currency ?? '',
  };
  const held = (detail: string): Comparison => ({
    ...base,
    ...noDifference,
    result: 'held',
    pinnedVersions: rating?.pinnedVersions ?? noPins,
    detail,
  });
  if ('held' in facts || rating === null) return held('held' in facts ? facts.held : '');
  if (broken.length > 0) {
    if (!reRating.dryRun)
      for (const { detail, subject } of broken) await gate.storeFinding(brokenFinding(period, detail, subject));
    return held(`What was invoiced so far does not reconcile. ${broken.map(({ detail }) => detail).join(' ')}`);
  }
  const doubles = await gate.doubleBilling();
  if (doubles.length > 0) {
    const findings = doubles.map((double) => doubleFinding(period, double));
    if (!reRating.dryRun) for (const finding of findings) await gate.storeFinding(finding);
    return held(findings.map(({ detail }) => detail).join(' '));
  }
  await bringWindows(gate, { reRating, rating, facts });
  const at = { cutoff: gate.cutoff };
  const rated = await rateWith(facts, period, {
    usage: (segments, meterIds, next) => gate.segmentUsage(segments, { meterIds, ...at }, next),
    groups: (meters) => gate.meterGroups(meters, at),
    events: (meterIds, visit) => gate.eachEvent(meterIds, visit, at),
  });
  const findings = holdingFindings(period, { rated, unreadable: await gate.unreadableValues() });
  if (findings.length > 0) {
    // A dry run only asks: its answer is the comparison.
    if (!reRating.dryRun) for (const finding of findings) await gate.storeFinding(finding);
    return held(findings.map(({ detail }) => detail).join(' '));
  }
  const correction = compareWithInvoiced(invoicedLines(documents), rated.lines);
  const pinnedVersions = pinsOf(facts);
  if (correction === null) return { ...base, ...noDifference, result: 'no_difference', pinnedVersions, detail: null };
  return {
    ...base,
    result: 'difference',
    pinnedVersions,
    difference: correction.total,
    needsApproval: threshold !== null && decimal(sizeOf(correction)).greaterThan(decimal(threshold)),
    differences: differencesOf(correction),
    detail: null,
  };
}

const noDifference = { difference: zero, needsApproval: false, differences: [] } as const;
const noPins = { customer_version_id: '', meter_ids: [], price_segments: [] };

function isUsageInDoubt({ reason, requestedBy }: ReRating): boolean {
  return reason === 'rating_defect' || requestedBy === reconciliationActor;
}

/** Late facts touch few windows. Everything is aggregated anew where what was aggregated is itself in doubt, or a meter is new. */
async function bringWindows(
  gate: GateTransaction,
  {
    reRating,
    rating,
    facts,
  }: { readonly reRating: ReRating; readonly rating: PeriodRating; readonly facts: PriceFacts },
): Promise<void> {
  const known = new Set(rating.pinnedVersions.meter_ids);
  const meterIds = facts.meters.map(({ meterId }) => meterId);
  const isNew = meterIds.some((id) => !known.has(id));
  // What was counted by a version that holds no more is taken back.
  if (isUsageInDoubt(reRating) || isNew) await gate.bringWindowsToCutoff([...new Set([...meterIds, ...known])]);
  else await gate.bringTouchedWindows(meterIds, rating.cutoff);
}

/** Ups and downs do not make up for each other: a threshold looks at everything that changes. */
function sizeOf({ lines }: Correction): DecimalString {
  return addDecimals(lines.map(({ amount }) => toDecimalString(decimal(amount).abs())));
}

function differencesOf({ lines }: Correction): Comparison['differences'] {
  return lines.map(({ lineKey, meter, group, originalAmount, correctedAmount, amount }) => ({
    lineKey,
    meter,
    group,
    originalAmount,
    correctedAmount,
    difference: amount,
  }));
}
