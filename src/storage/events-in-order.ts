/** Events as meters count them, one by one in order: for prices that are taken of each event (RULES 14). */
import type pg from 'pg';
import type { ValuedEvent } from '../domain/rating/event-totals.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import type { DecimalString, GroupKey, Instant, Position } from '../domain/values.js';
import { effectiveEvents, groupColumns, groupKeySql, isReadSql, takesSql, withSql } from './aggregation-sql.js';
import { countSql, decimalSql, SqlParameters, valueSql } from './aggregation-sql-fragments.js';
import type { BillingPeriod } from './types.js';

export interface EventsQuery {
  readonly period: Pick<BillingPeriod, 'customerId' | 'from' | 'to'>;
  /** That add up. */
  readonly meters: readonly MeterInForce[];
  readonly cutoff: Position;
  readonly adjusted: boolean;
}

interface EventRow {
  readonly meter: string;
  readonly group_key: GroupKey;
  readonly event_time: Instant;
  readonly value: DecimalString;
}

/** Rows that are held in memory at once. */
const batchSize = 5_000;

/** Within a transaction: the rows are fetched through a cursor. */
export async function eachEvent(
  client: pg.PoolClient,
  query: EventsQuery,
  visit: (event: ValuedEvent) => void,
): Promise<void> {
  if (query.meters.length === 0) return;
  const { text, values } = eventsSql(query);
  await client.query(`DECLARE events_in_order NO SCROLL CURSOR FOR ${text}`, [...values]);
  for (;;) {
    const { rows } = await client.query<EventRow>(`FETCH FORWARD ${batchSize} FROM events_in_order`);
    for (const row of rows) {
      visit({ meter: row.meter, group: row.group_key, eventTime: row.event_time, value: row.value });
    }
    if (rows.length < batchSize) break;
  }
  await client.query('CLOSE events_in_order');
}

function eventsSql({ period, meters, cutoff, adjusted }: EventsQuery): {
  readonly text: string;
  readonly values: readonly unknown[];
} {
  const params = new SqlParameters();
  const scope = { customerId: period.customerId, ranges: [{ from: period.from, to: period.to }], cutoff, adjusted };
  const { ctes, from } = effectiveEvents(params, scope);
  const selects = meters.map((meter) => {
    const groups = groupColumns(params, meter.groupBy);
    const columns = ['e.event_time, e.event_id, e.source', ...groups.map(({ name, text }) => `${text} AS ${name}`)];
    const conditions = `${takesSql(params, meter, 'e.metadata')} AND ${isReadSql(params, meter, 'e.metadata')}`;
    return `SELECT ${params.add(meter.code, 'text')} AS meter, ${groupKeySql(groups)} AS group_key, event_time,
        ${decimalSql('value')} AS value, event_id, source
      FROM (SELECT ${columns.join(', ')}, ${valueOfSql(params, meter)} AS value FROM ${from} WHERE ${conditions}) AS e`;
  });
  const text = `${withSql(ctes)} SELECT meter, group_key, event_time, value FROM (${selects.join('\nUNION ALL\n')}) AS e
    ORDER BY event_time, event_id COLLATE "C", source COLLATE "C"`;
  return { text, values: params.values };
}

function valueOfSql(params: SqlParameters, { aggregation, valueProperty }: MeterInForce): string {
  if (valueProperty === null) return '1::numeric';
  const text = `(e.metadata ->> ${params.add(valueProperty, 'text')})`;
  return aggregation === 'count' ? countSql(text) : valueSql(text);
}
