/** What a customer was told of a period, held against the ledger. */
import type pg from 'pg';
import type { BillingPeriod, UsageRange } from '../../../src/storage/types.js';

/** Ranges of a period are contiguous from 0, hold every fact once, and their sums are those of the ledger. */
export async function rangeComplaints(
  admin: pg.Client,
  period: BillingPeriod,
  told: readonly UsageRange[],
): Promise<readonly string[]> {
  const ranges = told
    .filter((range) => range.period === period.period)
    .sort((a, b) => (BigInt(a.to) < BigInt(b.to) ? -1 : 1));
  const gaps = ranges.filter(({ from }, index) => from !== (ranges[index - 1]?.to ?? '0'));
  const complaints = gaps.map(({ from }) => `a range begins at ${from}, where none has ended`);
  const { rows } = await admin.query<RangeRow>(rangesSql, [
    period.customerId,
    period.from,
    period.to,
    [...ranges.map(({ to }) => to), '9223372036854775807'],
    ['0', ...ranges.map(({ to }) => to)],
  ]);
  for (const [index, { events, bytes, adjustments }] of rows.entries()) {
    const range = ranges[index];
    const said = range?.sums === undefined ? '0 and 0' : figuresOf(range);
    const held = range?.sums === null && adjustments > 0 ? 'null' : `${events} and ${bytes}`;
    if (said !== held) complaints.push(`range ${range?.to ?? 'beyond'} says ${said}, the ledger ${held}`);
  }
  return complaints;
}

interface RangeRow {
  readonly events: number;
  readonly bytes: number;
  readonly adjustments: number;
}

/** Events of the period that are no backfill's, and adjustments and decisions of the customer, in each (from, to]. */
const rangesSql = `SELECT
    (SELECT count(*)::int FROM telemetry_events e WHERE e.customer_id = $1 AND e.event_time >= $2 AND e.event_time < $3
      AND e.backfill_id IS NULL AND e.position > r.after AND e.position <= r.through) AS events,
    (SELECT coalesce(sum((e.metadata ->> 'bytes')::int), 0)::int FROM telemetry_events e WHERE e.customer_id = $1
      AND e.backfill_id IS NULL AND e.event_time >= $2 AND e.event_time < $3 AND e.position > r.after AND e.position <= r.through) AS bytes,
    (SELECT count(*)::int FROM event_adjustments a WHERE a.customer_id = $1 AND a.position > r.after
      AND a.position <= r.through)
    + (SELECT count(*)::int FROM backfill_decisions d JOIN backfill_customers b USING (backfill_id)
      WHERE b.customer_id = $1 AND d.position > r.after AND d.position <= r.through) AS adjustments
  FROM unnest($4::bigint[], $5::bigint[]) WITH ORDINALITY AS r (through, after, n) ORDER BY n`;

function figuresOf({ sums }: UsageRange): string {
  if (sums === null) return 'null';
  const [calls, bytes] = ['api_calls', 'bytes'].map((meter) => sums.filter(({ m }) => m === meter));
  const counted = calls?.reduce((sum, { n }) => sum + n, 0) ?? 0;
  return `${counted} and ${bytes?.reduce((sum, { q }) => sum + Number(q), 0) ?? 0}`;
}
