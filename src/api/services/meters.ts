/** POST /meters: from the wire to a meter. */
import { DomainFailure } from '../../domain/failure.js';
import { aggregations, readPropertyOf, type Aggregation, type Meter } from '../../domain/metering/meter.js';
import { tagPrefix } from '../../domain/metering/metadata.js';
import { ruledOutBySchema } from '../../domain/metering/schema-consumers.js';
import { parseEffectiveFrom } from '../../domain/time/effective-from.js';
import type { Storage } from '../../storage/types.js';
import { RequestRefused, type ProblemIssue } from '../problem.js';
import type { MeterBody } from '../schemas/reference.js';

/** @throws DomainFailure UNKNOWN_AGGREGATION, VALIDATION_FAILED, EFFECTIVE_FROM_NOT_ALIGNED, INVALID_INSTANT, INVALID_DATE */
export function meterOf(body: MeterBody): Omit<Meter, 'meterId' | 'version'> {
  const aggregation = aggregationOf(body.aggregation);
  requireNoTag('value_property', body.value_property);
  requireNoTag('count_property', body.count_property);
  requirePossible('/value_property', body.value_property);
  requirePossible('/count_property', body.count_property);
  body.group_by.forEach((name, index) => {
    requirePossible(`/group_by/${index}`, name);
  });
  for (const name of Object.keys(body.filters)) requirePossible('/filters', name);
  return {
    code: body.code,
    eventType: body.event_type,
    aggregation,
    valueProperty: readPropertyOf(aggregation, {
      valueProperty: body.value_property ?? null,
      countProperty: body.count_property ?? null,
    }),
    groupBy: uniqueOf(body.group_by),
    filters: body.filters,
    windowSize: body.window,
    allowedLateness: body.allowed_lateness,
    allowNegative: body.allow_negative,
    maxGroups: body.max_groups,
    effectiveFrom:
      typeof body.effective_from === 'string' ? parseEffectiveFrom(body.effective_from, '/effective_from') : null,
  };
}

/**
 * Stores the meter, or the next version of it.
 * @throws DomainFailure INCOMPATIBLE_METER for a new one that reads what the latest schema of its event type rules out (RULES 69), and
 *   as `ReferenceStore.createMeter`
 */
export function createMeter(
  { eventSchemas, reference }: Pick<Storage, 'eventSchemas' | 'reference'>,
  meter: ReturnType<typeof meterOf>,
): ReturnType<Storage['reference']['createMeter']> {
  return reference.createMeter(meter, async () => {
    const latest = (await eventSchemas.versions(meter.eventType)).at(-1);
    // As for a version of the schema: without a mode nothing is held against what relies on the event type.
    if (latest === undefined) return 0;
    if (latest.compatibility === 'none') return latest.version;
    const [first, ...others] = ruledOutBySchema(latest.schema, { ...meter, meterId: '', version: 0 }).map(
      ({ pointer, detail }): ProblemIssue => ({
        pointer,
        code: 'INCOMPATIBLE_METER',
        detail: `Version ${latest.version} of the schema of "${meter.eventType}" ${detail}. Add a version of the schema that does, or read what it has.`,
      }),
    );
    if (first !== undefined) throw new RequestRefused([first, ...others]);
    return latest.version;
  });
}

function aggregationOf(text: string): Aggregation {
  const known = aggregations.find((aggregation) => aggregation === text);
  if (known !== undefined) return known;
  const detail = `"${text.slice(0, 64)}" is not an aggregation; known are: ${aggregations.join(', ')}.`;
  throw new DomainFailure('UNKNOWN_AGGREGATION', detail, '/aggregation');
}

/** A tag is a label: what is counted would otherwise change with how costs are allocated. */
function requireNoTag(name: string, property: string | null | undefined): void {
  if (property?.startsWith(tagPrefix) !== true) return;
  const detail = `"${property}" is a tag, which "group_by" and "filters" can name. A value stands in a metadata property.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, `/${name}`);
}

/** No event can have such a property (nor can a body name `__proto__` as a filter). */
function requirePossible(pointer: string, property: string | null | undefined): void {
  if (property === tagPrefix) {
    const detail = `"${tagPrefix}" names no tag: behind the point stands its key.`;
    throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
  }
  if (property !== '__proto__' && property !== `${tagPrefix}__proto__`) return;
  const detail = '"__proto__" is not accepted as a name of a property.';
  throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
}

function uniqueOf(groupBy: readonly string[]): readonly string[] {
  if (new Set(groupBy).size === groupBy.length) return groupBy;
  throw new DomainFailure('VALIDATION_FAILED', '"group_by" names a property twice.', '/group_by');
}
