/** Both sides of a ratio are measured in one run, alternating, so that a noisy machine disturbs both alike. */

/** One side of a comparison. What its work consumes is made before the clock starts. */
export interface Side {
  readonly name: string;
  /** Gives the work of one round; calling that does it and answers how many units it did. Only the latter is timed. */
  readonly prepare: () => Promise<() => Promise<number>>;
}

/** A target on units a second (`atLeast` of the limit's), or on time (`atMost` times the limit's). */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Ratio {
  readonly kind: 'ratio';
  readonly row: string;
  readonly unit: string;
  /** Units a second. */
  readonly ours: Spread & { readonly name: string };
  readonly limit: Spread & { readonly name: string };
  /** Round by round, in the terms of the target; without one, ours over the limit. */
  readonly ratio: Spread;
  readonly target: Target | null;
  readonly met: boolean;
}

/** A measurement that is held against no other; perhaps against a number. */
export interface Figure {
  readonly kind: 'figure';
  readonly row: string;
  readonly value: string;
  readonly note: string;
  readonly limit?: { readonly text: string; readonly met: boolean };
}

export interface Comparison {
  readonly row: string;
  readonly unit: string;
  readonly ours: Side;
  readonly limit: Side;
  readonly rounds: number;
  readonly target: Target | null;
  /** Where ours works on what the limit has left behind. Default: the order changes every round. */
  readonly order?: 'limit first';
}

/** Rounds before the first that counts: a server that has just been started runs interpreted code for some seconds. */
const warmUps = 3;

/** Warm-ups of both sides, then `rounds` of both. The ratio is taken round by round: its two sides are neighbours in time. */
export async function compare({ row, unit, ours, limit, rounds, target, order }: Comparison): Promise<Ratio> {
  const rates = { ours: [] as number[], limit: [] as number[] };
  for (let round = -warmUps; round < rounds; round += 1) {
    const sides = order === undefined && round % 2 === 0 ? (['ours', 'limit'] as const) : (['limit', 'ours'] as const);
    for (const side of sides) {
      const rate = await unitsPerSecond(side === 'ours' ? ours : limit);
      if (round >= 0) rates[side].push(rate);
    }
  }
  const inTime = target !== null && 'atMost' in target;
  const ratios = rates.ours.map((rate, round) => {
    const of = rates.limit[round] ?? Number.NaN;
    return inTime ? of / rate : rate / of;
  });
  const ratio = spread(ratios);
  return {
    kind: 'ratio',
    row,
    unit,
    ours: { name: ours.name, ...spread(rates.ours) },
    limit: { name: limit.name, ...spread(rates.limit) },
    ratio,
    target,
    met: target === null || ('atMost' in target ? ratio.median <= target.atMost : ratio.median >= target.atLeast),
  };
}

async function unitsPerSecond({ prepare }: Side): Promise<number> {
  const work = await prepare();
  const start = performance.now();
  const units = await work();
  return (units * 1_000) / (performance.now() - start);
}

/** @param share of the values that are at or below the answer, between 0 and 1 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Of an even number of values the lower of the two in the middle. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor((sorted.length - 1) / 2)), max: at(sorted.length - 1) };
}
