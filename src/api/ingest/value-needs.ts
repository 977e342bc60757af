/** What meters need of an event's metadata (RULES 10), compiled once for all the events of a type. */
import { parseDecimal } from '../../domain/decimal.js';
import { DomainFailure } from '../../domain/failure.js';
import { escapedToken } from '../../domain/json-pointer.js';
import { readDimension, type Metadata } from '../../domain/metering/metadata.js';
import { surelyCountsFrom } from '../../domain/metering/meter-versions.js';
import type { Meter } from '../../domain/metering/meter.js';
import { readingOf } from '../../domain/metering/reading.js';
import type { Instant } from '../../domain/values.js';
import type { ProblemIssue } from '../problem.js';

/** What one version of a meter reads, and which events it takes. */
export interface ValueNeeds {
  readonly meter: string;
  readonly property: string;
  readonly aggregation: Meter['aggregation'];
  readonly filters: readonly (readonly [property: string, allowed: ReadonlySet<string>])[];
  /** How many other versions of the meter may hold at the time of an event in place of this one. */
  readonly otherVersions: number;
  /** Events of before it are not refused: the meter need not take them, in any version. null: there is no such time. */
  readonly from: Instant | null;
}

export function compileValueNeeds(meters: readonly Meter[]): ReadonlyMap<string, readonly ValueNeeds[]> {
  const byType = new Map<string, ValueNeeds[]>();
  for (const { code, eventType, aggregation, valueProperty, filters } of meters) {
    if (valueProperty === null) continue;
    const needs = byType.get(eventType) ?? [];
    byType.set(eventType, needs);
    const compiled = Object.entries(filters).map(([property, allowed]) => [property, new Set(allowed)] as const);
    const versions = meters.filter((other) => other.code === code);
    needs.push({
      ...{ meter: code, property: valueProperty, aggregation, filters: compiled },
      otherVersions: versions.length - 1,
      from: surelyCountsFrom(versions),
    });
  }
  return byType;
}

/**
 * The first need that the metadata does not meet; null when every meter that surely takes the event can read its value
 * (RULES 68). Where a meter has several versions, or begins later, the time of the event, the customer's zone and period say which
 * one holds, if any: only what none of them can read, once one holds everywhere, is refused here; anything else that is wrong holds
 * the invoice, and loses nothing.
 */
export function valueProblem(
  { metadata, eventTime }: { readonly metadata: Metadata; readonly eventTime: Instant },
  needs: readonly ValueNeeds[],
): ProblemIssue | null {
  for (const need of needs) {
    if (need.from !== null && eventTime < need.from) continue;
    if (!isUnread(metadata, need)) continue;
    const unread = needs.filter((other) => other.meter === need.meter && isUnread(metadata, other));
    if (unread.length > need.otherVersions) return problemOf(metadata, need);
  }
  return null;
}

function isUnread(metadata: Metadata, need: ValueNeeds): boolean {
  const { aggregation, property: valueProperty } = need;
  return isTaken(metadata, need) && readingOf({ aggregation, valueProperty }, metadata) === null;
}

function isTaken(metadata: Metadata, { filters }: ValueNeeds): boolean {
  for (const [property, allowed] of filters) {
    const scalar = readDimension(metadata, property);
    if (scalar === null || !allowed.has(scalar.text)) return false;
  }
  return true;
}

function problemOf(metadata: Metadata, { meter, property, aggregation }: ValueNeeds): ProblemIssue {
  const pointer = `/metadata/${escapedToken(property)}`;
  if (!Object.hasOwn(metadata, property)) {
    const detail = `The meter "${meter}" takes its value from metadata property "${property}", which this event lacks.`;
    return { pointer, code: 'VALUE_PROPERTY_MISSING', detail };
  }
  const value = metadata[property];
  const tooLong = aggregation === 'unique_count' ? null : tooLongDetail(value);
  if (tooLong !== null) return { pointer, code: 'NUMBER_TOO_LONG', detail: tooLong };
  const shown = JSON.stringify(value).slice(0, 60);
  const detail = `The meter "${meter}" needs ${neededBy(aggregation)} in "${property}", and got ${shown}.`;
  return { pointer, code: 'VALUE_PROPERTY_NOT_DECIMAL', detail };
}

function neededBy(aggregation: Meter['aggregation']): string {
  if (aggregation === 'unique_count') return 'a text, a number, or true or false';
  if (aggregation === 'count') return 'a whole number that is not negative';
  return 'a number or a plain decimal text such as "12.5"';
}

function tooLongDetail(value: unknown): string | null {
  try {
    parseDecimal(value);
  } catch (error) {
    if (!(error instanceof DomainFailure)) throw error;
    if (error.code === 'NUMBER_TOO_LONG') return error.detail;
  }
  return null;
}
