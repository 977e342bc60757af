/** What meters need of an event's metadata (RULES 10), compiled once for all the events of a type. */
import { parseDecimal } from '../../domain/decimal.js';
import { DomainFailure } from '../../domain/failure.js';
import { readScalar, readValue, type Metadata } from '../../domain/metering/metadata.js';
import type { Meter } from '../../domain/metering/meter.js';
import type { ProblemIssue } from '../problem.js';

/** The value property of one meter, and which events the meter takes. */
export interface ValueNeeds {
  readonly meter: string;
  readonly property: string;
  readonly filters: readonly (readonly [property: string, allowed: ReadonlySet<string>])[];
}

export function compileValueNeeds(meters: readonly Meter[]): ReadonlyMap<string, readonly ValueNeeds[]> {
  const byType = new Map<string, ValueNeeds[]>();
  for (const { code, eventType, valueProperty, filters } of meters) {
    if (valueProperty === null) continue;
    const needs = byType.get(eventType) ?? [];
    byType.set(eventType, needs);
    const compiled = Object.entries(filters).map(([property, allowed]) => [property, new Set(allowed)] as const);
    needs.push({ meter: code, property: valueProperty, filters: compiled });
  }
  return byType;
}

/** The first need that the metadata does not meet; null when every meter that takes the event can read its value. */
export function valueProblem(metadata: Metadata, needs: readonly ValueNeeds[]): ProblemIssue | null {
  for (const need of needs) {
    if (!isTaken(metadata, need)) continue;
    if (readValue(metadata, need.property) === null) return problemOf(metadata, need);
  }
  return null;
}

function isTaken(metadata: Metadata, { filters }: ValueNeeds): boolean {
  for (const [property, allowed] of filters) {
    const scalar = readScalar(metadata, property);
    if (scalar === null || !allowed.has(scalar.text)) return false;
  }
  return true;
}

function problemOf(metadata: Metadata, { meter, property }: ValueNeeds): ProblemIssue {
  const pointer = `/metadata/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (!Object.hasOwn(metadata, property)) {
    const detail = `The meter "${meter}" takes its value from metadata property "${property}", which this event lacks.`;
    return { pointer, code: 'VALUE_PROPERTY_MISSING', detail };
  }
  const value = metadata[property];
  const tooLong = tooLongDetail(value);
  if (tooLong !== null) return { pointer, code: 'NUMBER_TOO_LONG', detail: tooLong };
  const shown = JSON.stringify(value).slice(0, 60);
  const detail = `The meter "${meter}" needs a number or a plain decimal text such as "12.5" in "${property}", and got ${shown}.`;
  return { pointer, code: 'VALUE_PROPERTY_NOT_DECIMAL', detail };
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
