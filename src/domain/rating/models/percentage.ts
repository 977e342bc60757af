import { decimal, toDecimalString } from '../../decimal.js';
import type { D } from '../../decimal.js';
import type { DecimalString } from '../../values.js';
import { readPrice } from '../parse-tiers.js';
import type { PercentagePrice } from '../price-book.js';
import { pointerTo } from '../wire-reader.js';
import type { WireObject } from '../wire-reader.js';
import { readCount, readOptionalPrice, requireOrder } from './line-terms.js';
import type { PricedShare } from './priced-share.js';
import { add, appendTerm, ZERO } from './tiers.js';

export const percentageProperties = [
  'rate',
  'fixed_fee',
  'free_events',
  'free_amount',
  'per_event_minimum',
  'per_event_maximum',
] as const;

type Terms = Pick<
  PercentagePrice,
  'rate' | 'fixedFee' | 'freeEvents' | 'freeAmount' | 'perEventMinimum' | 'perEventMaximum'
>;

export function parsePercentage(wire: WireObject, pointer: string): Terms {
  const freeEvents = wire['free_events'];
  const terms = {
    rate: readPrice(wire['rate'], pointerTo(pointer, 'rate')),
    fixedFee: readOptionalPrice(wire, 'fixed_fee', pointer),
    freeEvents:
      freeEvents === undefined || freeEvents === null ? null : readCount(freeEvents, pointerTo(pointer, 'free_events')),
    freeAmount: readOptionalPrice(wire, 'free_amount', pointer),
    perEventMinimum: readOptionalPrice(wire, 'per_event_minimum', pointer),
    perEventMaximum: readOptionalPrice(wire, 'per_event_maximum', pointer),
  };
  const { perEventMinimum: minimum, perEventMaximum: maximum } = terms;
  requireOrder({ minimum, maximum }, pointerTo(pointer, 'per_event_minimum'));
  return terms;
}

export interface PercentageWire {
  readonly model: 'percentage';
  readonly rate: DecimalString;
  readonly fixed_fee?: DecimalString;
  readonly free_events?: number;
  readonly free_amount?: DecimalString;
  readonly per_event_minimum?: DecimalString;
  readonly per_event_maximum?: DecimalString;
}

export function percentageToWire(price: Terms): PercentageWire {
  const { rate, fixedFee, freeEvents, freeAmount, perEventMinimum, perEventMaximum } = price;
  return {
    model: 'percentage',
    rate,
    ...(fixedFee === null ? {} : { fixed_fee: fixedFee }),
    ...(freeEvents === null ? {} : { free_events: freeEvents }),
    ...(freeAmount === null ? {} : { free_amount: freeAmount }),
    ...(perEventMinimum === null ? {} : { per_event_minimum: perEventMinimum }),
    ...(perEventMaximum === null ? {} : { per_event_maximum: perEventMaximum }),
  };
}

/** Events of one kind: how many, and what their values (of `partly`: the parts of them) add up to. */
interface Kind {
  count: number;
  amount: D;
}

/** What the events of a line came to under one version. */
export interface PercentageTotals {
  /** Wholly free events; the amount is all that was free, parts of other events too. */
  readonly free: Kind;
  /** Events that pay rate and fee. */
  readonly rated: Kind;
  readonly atMinimum: Kind;
  readonly atMaximum: Kind;
  /** Below zero: rate only (RULES 8). */
  readonly negative: Kind;
}

export function noTotals(): PercentageTotals {
  const none = (): Kind => ({ count: 0, amount: ZERO });
  return { free: none(), rated: none(), atMinimum: none(), atMaximum: none(), negative: none() };
}

/** How far the allowances of a line are used up: events and amounts before the next event, not below zero. */
export interface UsedAllowances {
  events: number;
  amount: D;
}

/**
 * The next event of a line, in order of event time. Both allowances must be left for any of it to be free: the one that is
 * used up first ends both (RULES 14).
 */
export function countEvent(
  value: D,
  {
    terms,
    allowances,
    used,
    totals,
  }: {
    /** Of the version at the event's time. */
    readonly terms: Terms;
    /** Of the version at the period's end (RULES 20). */
    readonly allowances: Pick<Terms, 'freeEvents' | 'freeAmount'>;
    readonly used: UsedAllowances;
    readonly totals: PercentageTotals;
  },
): void {
  if (value.isNegative() && !value.isZero()) {
    note(totals.negative, value);
    return;
  }
  const free = freePart(value, allowances, used);
  used.events += 1;
  used.amount = add(used.amount, value);
  if (free !== null) totals.free.amount = add(totals.free.amount, free);
  if (free !== null && free.eq(value)) {
    totals.free.count += 1;
    return;
  }
  const rated = free === null ? value : value.minus(free);
  note(totals[limitOf(rated, terms)], rated);
}

/** null: no allowance is left, or there never was one. */
function freePart(
  value: D,
  { freeEvents, freeAmount }: Pick<Terms, 'freeEvents' | 'freeAmount'>,
  used: UsedAllowances,
): D | null {
  if (freeEvents === null && freeAmount === null) return null;
  if (freeEvents !== null && used.events >= freeEvents) return null;
  if (freeAmount === null) return value;
  const left = decimal(freeAmount).minus(used.amount);
  if (left.isZero() || left.isNegative()) return null;
  return value.lt(left) ? value : left;
}

/** Limits hold for rate part and fee together. */
function limitOf(rated: D, terms: Terms): 'rated' | 'atMinimum' | 'atMaximum' {
  const { rate, fixedFee, perEventMinimum, perEventMaximum } = terms;
  if (perEventMinimum === null && perEventMaximum === null) return 'rated';
  const cost = add(rated.times(decimal(rate)), fixedFee === null ? ZERO : decimal(fixedFee));
  if (perEventMaximum !== null && cost.gt(decimal(perEventMaximum))) return 'atMaximum';
  return perEventMinimum !== null && cost.lt(decimal(perEventMinimum)) ? 'atMinimum' : 'rated';
}

function note(kind: Kind, value: D): void {
  kind.count += 1;
  kind.amount = add(kind.amount, value);
}

export function addTotals(all: readonly PercentageTotals[]): PercentageTotals {
  const sum = noTotals();
  for (const totals of all) {
    for (const kind of ['free', 'rated', 'atMinimum', 'atMaximum', 'negative'] as const) {
      sum[kind].count += totals[kind].count;
      sum[kind].amount = add(sum[kind].amount, totals[kind].amount);
    }
  }
  return sum;
}

/** Events at a limit cost that limit; all others their rate and fee. */
export function pricePercentage(
  terms: Terms,
  totals: PercentageTotals,
  { freeEvents, freeAmount }: Pick<Terms, 'freeEvents' | 'freeAmount'>,
): PricedShare {
  const { rate, fixedFee, perEventMinimum, perEventMaximum } = terms;
  const { free, rated, atMinimum, atMaximum, negative } = totals;
  let amount = add(rated.amount, negative.amount).times(decimal(rate));
  let formula = '';
  const term = (count: D | number, price: DecimalString, taken = false): void => {
    const text = typeof count === 'number' ? String(count) : toDecimalString(count);
    formula = appendTerm(formula, `${text} × ${price}`, taken);
  };
  const perEvent = (count: number, price: DecimalString | null): void => {
    if (count === 0 || price === null || decimal(price).isZero()) return;
    amount = add(amount, decimal(price).times(count));
    term(count, price);
  };
  if (!rated.amount.isZero()) term(rated.amount, rate);
  perEvent(rated.count, fixedFee);
  perEvent(atMinimum.count, perEventMinimum);
  perEvent(atMaximum.count, perEventMaximum);
  if (!negative.amount.isZero()) term(negative.amount.abs(), rate, true);
  if (formula === '') term(0, rate);
  const shown = ({ count, amount: of }: Kind): { readonly events: number; readonly amount: DecimalString } => {
    return { events: count, amount: toDecimalString(of) };
  };
  const percentage = {
    rate,
    fixed_fee: fixedFee,
    per_event_minimum: perEventMinimum,
    per_event_maximum: perEventMaximum,
    free_events: freeEvents,
    free_amount: freeAmount,
    free: shown(free),
    rated: shown(rated),
    at_minimum: shown(atMinimum),
    at_maximum: shown(atMaximum),
    negative: shown(negative),
  };
  return { amount, formula, unitPrice: null, tiers: [], details: { percentage } };
}
