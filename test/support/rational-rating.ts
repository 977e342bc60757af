/**
 * What a line must cost, worked out again with exact fractions of BigInt and none of the project's code: the oracle that
 * rating is compared with. It follows RULES 8, 11–13 and 20 literally and cares for nothing else, least of all speed.
 */

/** A fraction; the denominator is positive, and not reduced. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

export interface OracleTier {
  readonly upTo: string | null;
  readonly unitPrice: string;
  readonly flatFee: string;
}

export type OraclePrice =
  | { readonly model: 'flat'; readonly unitPrice: string }
  | { readonly model: 'tiered' | 'volume'; readonly tiers: readonly OracleTier[]; readonly chargeWhenZero: boolean };

/** Usage of a line in a stretch of the period, in order of time. */
export interface OracleStretch {
  readonly version: string;
  readonly quantity: string;
}

export const zero: Rational = { n: 0n, d: 1n };

export function rational(decimal: string): Rational {
  const [whole = '', fraction = ''] = decimal.split('.');
  return { n: BigInt(whole + fraction), d: 10n ** BigInt(fraction.length) };
}

export const plus = (a: Rational, b: Rational): Rational => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d });
export const minus = (a: Rational, b: Rational): Rational => ({ n: a.n * b.d - b.n * a.d, d: a.d * b.d });
export const times = (a: Rational, b: Rational): Rational => ({ n: a.n * b.n, d: a.d * b.d });
export const compare = (a: Rational, b: Rational): number =>
  Number(a.n * b.d > b.n * a.d) - Number(a.n * b.d < b.n * a.d);
export const sum = (values: readonly Rational[]): Rational => values.reduce(plus, zero);

/** Half-even to that many places, as an integer of the minor unit. */
export function roundHalfEven(value: Rational, places: number): bigint {
  const scaled = value.n * 10n ** BigInt(places);
  const magnitude = scaled < 0n ? -scaled : scaled;
  let quotient = magnitude / value.d;
  const twice = 2n * (magnitude % value.d);
  if (twice > value.d || (twice === value.d && quotient % 2n === 1n)) quotient += 1n;
  return scaled < 0n ? -quotient : quotient;
}

/** The amount of each version's charge, not rounded. */
export function oracleCharges(
  stretches: readonly OracleStretch[],
  prices: Readonly<Record<string, OraclePrice>>,
): ReadonlyMap<string, Rational> {
  const last = stretches.at(-1);
  if (last === undefined) return new Map();
  const lastPrice = priceOf(prices, last.version);
  // Any change of model: the version at the period's end for the whole period.
  const oneModel = stretches.every(({ version }) => priceOf(prices, version).model === lastPrice.model);
  const held = oneModel ? stretches : stretches.map(({ quantity }) => ({ version: last.version, quantity }));
  const total = sum(held.map(({ quantity }) => rational(quantity)));

  const amounts = new Map<string, Rational>();
  const book = (version: string, amount: Rational): void => {
    amounts.set(version, plus(amounts.get(version) ?? zero, amount));
  };
  let before = zero;
  for (const { version, quantity } of held) {
    const price = priceOf(prices, version);
    const after = plus(before, rational(quantity));
    if (price.model === 'flat') book(version, times(rational(quantity), rational(price.unitPrice)));
    if (price.model === 'volume')
      book(version, times(rational(quantity), rational(tierReached(price.tiers, total).unitPrice)));
    if (price.model === 'tiered') {
      book(version, minus(priceFunction(price.tiers, after), priceFunction(price.tiers, before)));
    }
    before = after;
  }
  if (lastPrice.model === 'tiered' && total.n === 0n && lastPrice.chargeWhenZero) {
    book(last.version, rational(lastPrice.tiers[0]?.flatFee ?? '0'));
  }
  if (lastPrice.model === 'volume' && (total.n > 0n || (total.n === 0n && lastPrice.chargeWhenZero))) {
    book(last.version, rational(tierReached(lastPrice.tiers, total).flatFee));
  }
  return amounts;
}

/** F of RULES 20: the cost of a cumulative quantity, with the flat fees of all tiers that it exceeds the lower bound of. */
function priceFunction(tiers: readonly OracleTier[], quantity: Rational): Rational {
  const [first] = tiers;
  if (first === undefined) throw new Error('no tiers');
  if (quantity.n < 0n) return times(quantity, rational(first.unitPrice));
  if (quantity.n === 0n) return zero;
  let cost = zero;
  let lower = zero;
  for (const tier of tiers) {
    if (compare(quantity, lower) <= 0) break;
    const upper = tier.upTo === null || compare(quantity, rational(tier.upTo)) < 0 ? quantity : rational(tier.upTo);
    cost = sum([cost, times(minus(upper, lower), rational(tier.unitPrice)), rational(tier.flatFee)]);
    lower = upper;
  }
  return cost;
}

function tierReached(tiers: readonly OracleTier[], quantity: Rational): OracleTier {
  const reached = tiers.find(({ upTo }) => upTo === null || compare(quantity, rational(upTo)) <= 0);
  if (reached === undefined) throw new Error('the last tier is bounded');
  return reached;
}

function priceOf(prices: Readonly<Record<string, OraclePrice>>, version: string): OraclePrice {
  const price = prices[version];
  if (price === undefined) throw new Error(`no price ${version}`);
  return price;
}

/**
 * The value of an explanation such as `1000 × 0.10 + 5 − 10 % × 20.00 (a note)`, read from left to right; notes in brackets
 * say why and count nothing. Square brackets hold a formula in another currency, and a rate follows: `[1000 × 0.10] × 0.92`.
 */
export function valueOfFormula(formula: string): Rational {
  const converted = /(^|[+−] )\[([^\]]*)\] × ([0-9.]+)/.exec(formula);
  if (converted === null) return valueOfTerms(formula);
  const [text, sign = '', inner = '', rate = ''] = converted;
  const value = times(valueOfFormula(inner), rational(rate));
  const rest = formula.replace(text, `${sign}0`);
  return plus(valueOfFormula(rest), sign === '− ' ? minus(zero, value) : value);
}

function valueOfTerms(formula: string): Rational {
  const terms = formula
    .replace(/ \([^)]*\)/g, '')
    .replace(/^−/, '0 − ')
    .split(/ (?=[+−] )/);
  return sum(
    terms.map((term) => {
      const negative = term.startsWith('− ');
      const factors = term
        .replace(/^[+−] /, '')
        .split(' × ')
        .map((factor) => (factor.endsWith(' %') ? percent(factor.slice(0, -2)) : rational(factor)));
      const value = factors.reduce(times, { n: 1n, d: 1n });
      return negative ? minus(zero, value) : value;
    }),
  );
}

function percent(text: string): Rational {
  const { n, d } = rational(text);
  return { n, d: d * 100n };
}
