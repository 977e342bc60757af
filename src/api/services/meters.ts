/** POST /meters: from the wire to a meter that this version can compute. */
import { DomainFailure } from '../../domain/failure.js';
import { aggregations, supportedAggregations, type Aggregation, type Meter } from '../../domain/metering/meter.js';
import type { MeterBody } from '../schemas/reference.js';

/** @throws DomainFailure UNKNOWN_AGGREGATION, UNSUPPORTED_AGGREGATION, VALIDATION_FAILED */
export function meterOf(body: MeterBody): Omit<Meter, 'meterId' | 'version'> {
  const aggregation = aggregationOf(body.aggregation);
  return {
    code: body.code,
    eventType: body.event_type,
    aggregation,
    valueProperty: valuePropertyOf(aggregation, body.value_property ?? null),
    groupBy: uniqueOf(body.group_by),
    filters: body.filters,
    windowSize: body.window,
    allowedLateness: body.allowed_lateness,
    allowNegative: body.allow_negative,
  };
}

function aggregationOf(text: string): Aggregation {
  const known = aggregations.find((aggregation) => aggregation === text);
  if (known === undefined) {
    const detail = `"${text.slice(0, 64)}" is not an aggregation; known are: ${aggregations.join(', ')}.`;
    throw new DomainFailure('UNKNOWN_AGGREGATION', detail, '/aggregation');
  }
  if (supportedAggregations.includes(known)) return known;
  const detail = `"${known}" is not supported by this version; supported are: ${supportedAggregations.join(', ')}.`;
  throw new DomainFailure('UNSUPPORTED_AGGREGATION', detail, '/aggregation');
}

function valuePropertyOf(aggregation: Aggregation, property: string | null): string | null {
  if (aggregation === 'count' && property !== null) {
    throw new DomainFailure(
      'VALIDATION_FAILED',
      'A "count" meter counts events and takes no "value_property".',
      '/value_property',
    );
  }
  if (aggregation !== 'count' && property === null) {
    const detail = `A "${aggregation}" meter needs a "value_property": the metadata property with the value.`;
    throw new DomainFailure('VALIDATION_FAILED', detail, '/value_property');
  }
  return property;
}

function uniqueOf(groupBy: readonly string[]): readonly string[] {
  if (new Set(groupBy).size === groupBy.length) return groupBy;
  throw new DomainFailure('VALIDATION_FAILED', '"group_by" names a property twice.', '/group_by');
}
