/** Leaves out the meters that can take no event of a scope: each event type is one more reading of the events. */
import type pg from 'pg';
import type { AggregatedMeter } from '../domain/metering/fold.js';
import { effectiveEvents, type EventScope, withSql } from './aggregation-sql.js';
import { SqlParameters } from './aggregation-sql-fragments.js';

/**
 * Up to so many event types, one statement for all customers with these meters is cheaper: it is planned once a connection,
 * and asking for the types present is a reading of its own.
 */
const typesMax = 8;

/**
 * The meters whose event type an event of the scope has: all of them where they have few types. So what a customer costs does
 * not grow with the meters of others. A customer's meters are not known any cheaper: every meter is of all customers.
 */
export async function metersWithEvents<M extends AggregatedMeter>(
  client: pg.Pool | pg.PoolClient,
  meters: readonly M[],
  scope: EventScope,
): Promise<readonly M[]> {
  if (new Set(meters.map(({ eventType }) => eventType)).size <= typesMax) return meters;
  const params = new SqlParameters();
  const { ctes, from } = effectiveEvents(params, scope);
  const { rows } = await client.query<{ readonly event_type: string }>(
    `${withSql(ctes)} SELECT DISTINCT event_type FROM ${from}`,
    [...params.values],
  );
  const present = new Set(rows.map((row) => row.event_type));
  return meters.filter(({ eventType }) => present.has(eventType));
}
