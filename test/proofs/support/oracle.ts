/**
 * What a customer must have been billed, told from the history alone in exact fractions of BigInt: events with their last
 * adjustment, prices in the versions that closings and re-ratings have applied. Uses none of the project's code.
 */
import { compare, rational, roundHalfEven, sum, oracleCharges, zero } from '../../support/rational-rating.js';
import type { Rational } from '../../support/rational-rating.js';
import { meterCodes, periods } from './history.js';
import type { Answer, Content, History, HistoryVersion, MeterCode, PeriodIndex, ReRate, Subject } from './history.js';
import { ReRatingFlow } from './re-rating-flow.js';
import type { Compared, Comparing } from './re-rating-flow.js';

/** Minor units by line; a line of 0 is as good as none. */
export type Lines = ReadonlyMap<string, bigint>;

const magnitude = (amount: bigint): bigint => (amount < 0n ? -amount : amount);

export const lineKey = (meter: string, group: object): string => JSON.stringify([meter, group]);

const minorDigits = { USD: 2, JPY: 0, KWD: 3 } as const;

interface Version {
  /** In the order of learning. */
  readonly number: number;
  readonly start: string;
  readonly until: string | null;
  readonly prices: HistoryVersion['prices'];
}

/** A stretch of time and the version that prices it. */
interface Stretch {
  readonly from: string;
  readonly to: string;
  readonly version: Version;
}

/** Which version holds when; a re-rating limited to some meters gives them a schedule of their own. */
interface Schedule {
  readonly general: readonly Stretch[];
  readonly own: ReadonlyMap<MeterCode, readonly Stretch[]>;
}

interface Settled {
  readonly lines: Lines;
  readonly schedule: Schedule;
}

interface Comparison extends Compared {
  readonly sequence: number;
  readonly settled: Settled;
  readonly outcome: Happening;
}

/** What a history can come to; see `Oracle.seen`. */
export const happenings = [
  'corrected upward',
  'corrected downward',
  'lines cancelled out',
  'settled without a difference',
  'asked for approval',
  'chain moved',
  'held',
  'newer prices applied',
  'named version applied by rule',
  'named version applied by force',
  'named version not in force',
  'prices of some meters moved',
  'voided invoice replaced',
] as const;
type Happening = (typeof happenings)[number];

export class Oracle implements Subject, Comparing<Comparison> {
  readonly seen = new Set<Happening>();
  private readonly events = new Map<string, Content | null>();
  private readonly versions: Version[] = [];
  private readonly flow = new ReRatingFlow<Comparison>(this);
  /** null: not invoiced, or void. */
  private readonly chains: [Settled | null, Settled | null] = [null, null];
  /** Counts settlements. */
  private readonly sequences: [number, number] = [0, 0];

  constructor(private readonly facts: Pick<History, 'currency' | 'approvalThreshold'>) {}

  /** What the documents that count must add up to. */
  invoiced(period: PeriodIndex): Lines {
    return this.chains[period]?.lines ?? new Map();
  }

  /** The invoice that would have been issued had everything been known on time. */
  onTime(period: PeriodIndex): Lines {
    const settled = this.chains[period];
    return settled === null ? new Map() : this.rate(period, settled.schedule);
  }

  // What is told -----------------------------------------------------------------------------------------------------

  send(events: readonly { readonly id: string; readonly content: Content }[]): void {
    for (const { id, content } of events) if (!this.events.has(id)) this.events.set(id, content);
  }

  adjust(id: string, replacement: Content | null): void {
    this.events.set(id, replacement);
  }

  learn({ start, until, prices }: HistoryVersion, number: number): void {
    const from = start.length === '2024-01-01'.length ? `${start}T00:00:00.000000Z` : start;
    this.versions.push({ number, start: from, until, prices });
  }

  closeWindows(): void {
    // Says when usage is summed, never what is billed.
  }

  close(period: PeriodIndex): void {
    if (this.chains[period] !== null) return;
    const schedule: Schedule = { general: scheduleOf(this.versions, periods[period]), own: new Map() };
    this.chains[period] = { lines: this.rate(period, schedule), schedule };
    if (this.sequences[period] > 0) this.seen.add('voided invoice replaced');
    this.sequences[period] += 1;
  }

  reRate(reRate: Omit<ReRate, 'named'>, named: number | null): Promise<void> {
    return this.flow.start(reRate, named);
  }

  waiting(): number {
    return this.flow.waiting();
  }

  answer(index: number, answer: Answer): Promise<void> {
    return this.flow.answer(index, answer);
  }

  voidInvoice(period: PeriodIndex): void {
    this.chains[period] = null;
  }

  // Re-rating --------------------------------------------------------------------------------------------------------

  compare(period: PeriodIndex, { reason, meters }: Omit<ReRate, 'named'>, named: number | null): Comparison | null {
    const before = this.chains[period];
    if (before === null) {
      this.seen.add('held');
      return null;
    }
    const keeps = reason === 'late_usage' || reason === 'usage_correction';
    const schedule = keeps ? before.schedule : this.moved(period, before.schedule, { meters, named });
    if (schedule === null) return null;
    const lines = this.rate(period, schedule);
    const changed = [...new Set([...before.lines.keys(), ...lines.keys()])]
      .sort()
      .map((key) => [key, before.lines.get(key) ?? 0n, lines.get(key) ?? 0n] as const)
      .filter(([, was, is]) => was !== is);
    const needsApproval = this.isBeyondThreshold(
      changed.reduce((total, [, was, is]) => total + magnitude(is - was), 0n),
    );
    if (needsApproval) this.seen.add('asked for approval');
    const total = changed.reduce((sum, [, was, is]) => sum + is - was, 0n);
    return {
      sequence: this.sequences[period],
      settled: { lines, schedule },
      outcome:
        changed.length === 0
          ? 'settled without a difference'
          : total === 0n
            ? 'lines cancelled out'
            : total > 0n
              ? 'corrected upward'
              : 'corrected downward',
      differences: changed.map(([key, was, is]) => `${key} ${was} ${is}`).join('\n'),
      needsApproval,
    };
  }

  settle(period: PeriodIndex, { sequence, settled, outcome }: Comparison): boolean {
    if (this.chains[period] === null || this.sequences[period] !== sequence) {
      this.seen.add('chain moved');
      return false;
    }
    this.seen.add(outcome);
    this.chains[period] = settled;
    this.sequences[period] += 1;
    return true;
  }

  private isBeyondThreshold(minorUnits: bigint): boolean {
    const { approvalThreshold, currency } = this.facts;
    if (approvalThreshold === null) return false;
    return compare({ n: minorUnits, d: 10n ** BigInt(minorDigits[currency]) }, rational(approvalThreshold)) > 0;
  }

  /** null: the version that is named is never valid in the period. */
  private moved(
    period: PeriodIndex,
    before: Schedule,
    { meters, named }: { readonly meters: ReRate['meters']; readonly named: number | null },
  ): Schedule | null {
    const version = this.versions.find(({ number }) => number === named);
    const after = version === undefined ? this.newest(period) : this.named(before, version);
    if (after === null) {
      this.seen.add('named version not in force');
      return null;
    }
    if (meters === null) return after;
    this.seen.add('prices of some meters moved');
    const own = meters.map((meter) => [meter, after.own.get(meter) ?? after.general] as const);
    return { general: before.general, own: new Map([...before.own, ...own]) };
  }

  private newest(period: PeriodIndex): Schedule {
    this.seen.add('newer prices applied');
    return { general: scheduleOf(this.versions, periods[period]), own: new Map() };
  }

  private named({ general, own }: Schedule, version: Version): Schedule | null {
    const after = withNamed(general, version);
    if (after === null) return null;
    this.seen.add(`named version applied by ${after.how}`);
    return {
      general: after.schedule,
      own: new Map([...own].map(([meter, its]) => [meter, withNamed(its, version)?.schedule ?? its])),
    };
  }

  // Rating -----------------------------------------------------------------------------------------------------------

  private rate(period: PeriodIndex, schedule: Schedule): Lines {
    const { from, to } = periods[period];
    const contents = [...this.events.values()].filter((its) => its !== null && its.time >= from && its.time < to);
    const lines = new Map<string, bigint>();
    for (const meter of meterCodes) {
      const stretches = schedule.own.get(meter) ?? schedule.general;
      for (const [key, amount] of linesOf(meter, stretches, contents as readonly Content[])) {
        const rounded = roundHalfEven(amount, minorDigits[this.facts.currency]);
        if (rounded !== 0n) lines.set(key, rounded);
      }
    }
    return lines;
  }
}

// Prices over time ----------------------------------------------------------------------------------------------------

/** The version in force: the latest start, unless it has ended; of two with one start the one learned last, the other never. */
function inForce(versions: readonly Version[], at: string): Version | undefined {
  return versions
    .filter(({ start, number }) => !versions.some((other) => other.start === start && other.number > number))
    .filter(({ start, until }) => start <= at && (until === null || until > at))
    .reduce<Version | undefined>(
      (latest, its) => (latest === undefined || its.start > latest.start ? its : latest),
      undefined,
    );
}

function scheduleOf(
  versions: readonly Version[],
  { from, to }: { readonly from: string; readonly to: string },
): readonly Stretch[] {
  return stretchesBetween(from, to, boundsOf(versions)).map((stretch) => {
    const version = inForce(versions, stretch.from);
    if (version === undefined) throw new Error('the first version of a history is always in force');
    return { ...stretch, version };
  });
}

/** A named version, as if learned last; if it would never be in force so, for as long as it is valid. */
function withNamed(
  schedule: readonly Stretch[],
  named: Version,
): { readonly how: 'rule' | 'force'; readonly schedule: readonly Stretch[] } | null {
  const others = schedule.map(({ version }) => version).filter(({ number }) => number !== named.number);
  const learnedLast = { ...named, number: Number.MAX_SAFE_INTEGER };
  const cut = schedule.flatMap(({ from, to, version }) =>
    stretchesBetween(from, to, boundsOf([named, ...others])).map((stretch) => ({ ...stretch, version })),
  );
  const byRule = cut.map((its) =>
    inForce([...others, learnedLast], its.from) === learnedLast ? { ...its, version: named } : its,
  );
  if (byRule.some(({ version }) => version === named)) return { how: 'rule', schedule: byRule };
  const isValid = ({ from }: Stretch): boolean => named.start <= from && (named.until === null || named.until > from);
  if (!cut.some(isValid)) return null;
  return { how: 'force', schedule: cut.map((its) => (isValid(its) ? { ...its, version: named } : its)) };
}

const boundsOf = (versions: readonly Version[]): readonly string[] =>
  versions.flatMap(({ start, until }) => (until === null ? [start] : [start, until]));

function stretchesBetween(from: string, to: string, bounds: readonly string[]): readonly Omit<Stretch, 'version'>[] {
  const starts = [...new Set([from, ...bounds.filter((at) => at > from && at < to)])].sort();
  return starts.map((start, index) => ({ from: start, to: starts[index + 1] ?? to }));
}

// Usage and lines -----------------------------------------------------------------------------------------------------

interface Use {
  readonly time: string;
  readonly quantity: string;
  readonly group: { readonly region?: string | null };
}

/** What a meter makes of the events: calls that did not fail are counted, bytes are summed by region. */
function usesOf(meter: MeterCode, contents: readonly Content[]): readonly Use[] {
  return contents.flatMap((its): Use[] => {
    if (meter === 'calls')
      return its.type === 'call' && its.status !== 'failed' ? [{ time: its.time, quantity: '1', group: {} }] : [];
    return its.type === 'transfer' ? [{ time: its.time, quantity: its.bytes, group: { region: its.region } }] : [];
  });
}

function linesOf(
  meter: MeterCode,
  schedule: readonly Stretch[],
  contents: readonly Content[],
): ReadonlyMap<string, Rational> {
  const last = schedule.at(-1);
  if (last === undefined) throw new Error('a period has a last moment');
  const lastPrice = last.version.prices[meter];
  // Lines are what the last version makes them; a change of their shape makes it hold for the whole period.
  const isPooled = lastPrice.pooled || meter === 'calls';
  const changesShape =
    meter === 'bytes' && schedule.some(({ version }) => version.prices[meter].pooled !== lastPrice.pooled);
  const held = changesShape ? schedule.map((its) => ({ ...its, version: last.version })) : schedule;
  const uses = new Map<string, Use[]>();
  for (const use of usesOf(meter, contents)) {
    const key = lineKey(meter, isPooled ? {} : use.group);
    uses.set(key, [...(uses.get(key) ?? []), use]);
  }
  // A fee that is due without usage has a line only where that needs no group.
  if (uses.size === 0 && isPooled) uses.set(lineKey(meter, {}), []);
  const prices = Object.fromEntries(held.map(({ version }) => [version.number, version.prices[meter]]));
  return new Map(
    [...uses].map(([key, its]) => {
      const stretches = held.map(({ from, to, version }) => ({
        version: String(version.number),
        quantity: decimalSum(its.filter(({ time }) => time >= from && time < to).map(({ quantity }) => quantity)),
      }));
      return [key, sum([...oracleCharges(stretches, prices).values()])];
    }),
  );
}

/** Exact, as a plain decimal: the quantities of histories have at most three places. */
function decimalSum(quantities: readonly string[]): string {
  const { n, d } = quantities.map(rational).reduce((a, b) => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d }), zero);
  const thousandths = (n * 1000n) / d;
  const digits = (thousandths < 0n ? -thousandths : thousandths).toString().padStart(4, '0');
  return `${thousandths < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
}
