/** Rows of the plan, merged to one range a customer and period. */
import { invariant } from '../domain/failure.js';
import { mergeUsage } from '../domain/metering/fold.js';
import { noGroup } from '../domain/metering/group-key.js';
import type { WindowUsage } from '../domain/metering/meter.js';
import type { Instant, LocalDate, Position } from '../domain/values.js';
import { rangeSumsBytesMax } from './relay-plan-sql.js';
import type { RangeSum, UsageRange } from './types.js';

/** A row of usage_ranges. */
export interface PlannedRange {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly from_position: Position;
  readonly to_position: Position;
  readonly event_count: string;
  readonly max_event_time: Instant | null;
  readonly sums: readonly RangeSum[] | null;
}

/** Rows ordered by customer and period, then position; the order of customers and periods is kept. */
export function mergeRanges(rows: readonly PlannedRange[]): readonly UsageRange[] {
  const merged: UsageRange[] = [];
  let run: PlannedRange[] = [];
  for (const row of rows) {
    const [first] = run;
    if (first !== undefined && (first.customer_id !== row.customer_id || first.period !== row.period)) {
      merged.push(mergeRun(run));
      run = [];
    }
    run.push(row);
  }
  if (run.length > 0) merged.push(mergeRun(run));
  return merged;
}

function mergeRun(run: readonly PlannedRange[]): UsageRange {
  const [first] = run;
  const last = run.at(-1);
  invariant(first !== undefined && last !== undefined, 'a run has a row');
  for (const [i, row] of run.entries()) {
    const before = run[i - 1];
    invariant(
      before === undefined || before.to_position === row.from_position,
      `ranges of ${row.customer_id} ${row.period} have a gap at ${row.from_position}`,
    );
  }
  const times = run.flatMap((row) => row.max_event_time ?? []);
  return {
    customerId: first.customer_id,
    period: first.period,
    from: first.from_position,
    to: last.to_position,
    eventCount: run.reduce((sum, row) => sum + Number(row.event_count), 0),
    maxEventTime: times.reduce<Instant | null>(
      (latest, time) => (latest === null || time > latest ? time : latest),
      null,
    ),
    sums: mergeSums(run.map((row) => row.sums)),
  };
}

/** null as soon as one range says "look in the ledger", or all together are too much to carry. */
function mergeSums(parts: readonly (readonly RangeSum[] | null)[]): readonly RangeSum[] | null {
  const known = parts.flatMap((part) => (part === null ? [] : [part]));
  if (known.length < parts.length) return null;
  const [only] = known;
  if (known.length === 1 && only !== undefined) return only;
  const sums = mergeUsage(known.flat().map(usageOf)).map(sumOf);
  return Buffer.byteLength(JSON.stringify(sums)) > rangeSumsBytesMax ? null : sums;
}

const usageOf = ({ m, w, e, n, q, d }: RangeSum): WindowUsage => ({
  meter: m,
  windowStart: w,
  windowEnd: e,
  group: noGroup,
  quantity: q,
  eventCount: n,
  digest: d,
});

const sumOf = (usage: WindowUsage): RangeSum => ({
  m: usage.meter,
  w: usage.windowStart,
  e: usage.windowEnd,
  n: usage.eventCount,
  q: usage.quantity,
  d: usage.digest,
});
