import { numberedTypes, numberSeries } from './invoice-number.js';
import type { NumberedEntity } from './invoice-number.js';
import type { InvoiceType } from './invoice.js';

/** Both numbers belong to it. */
export interface NumberGap {
  readonly from: number;
  readonly to: number;
}

/** The documents whose numbers begin alike, as storage found them. */
export interface NumbersInUse {
  readonly printed: string;
  readonly documents: number;
  readonly highest: number;
  /** How many numbers between 1 and the highest no document has. */
  readonly missing: number;
  /** The first of them, in order. */
  readonly gaps: readonly NumberGap[];
  /** The first of those that more than one document has. */
  readonly duplicates: readonly number[];
}

export interface DrawnNumbers {
  readonly series: string;
  readonly lastNumber: number;
}

/** A series with what is wrong with it. JSON but for the names. */
export interface CheckedSeries {
  readonly series: string;
  /** null: of no entity and type that is known. */
  readonly legalEntity: string | null;
  readonly type: InvoiceType | null;
  readonly printed: string;
  readonly lastNumber: number;
  readonly documents: number;
  readonly missing: number;
  readonly gaps: readonly NumberGap[];
  readonly duplicates: readonly number[];
  /** Documents have numbers up to this one, which were never drawn; null: none has. */
  readonly beyond: number | null;
  readonly holds: boolean;
}

/**
 * Holds the numbers on documents against those that were drawn (RULES 59): of each series 1 to the last number, each once.
 * Documents whose numbers belong to no series are reported under what they begin with.
 */
export function checkNumbers(
  entities: readonly NumberedEntity[],
  drawn: readonly DrawnNumbers[],
  inUse: readonly NumbersInUse[],
): readonly CheckedSeries[] {
  const last = new Map(drawn.map(({ series, lastNumber }) => [series, lastNumber]));
  const used = new Map(inUse.map((each) => [each.printed, each]));
  const known = entities.flatMap((entity) =>
    numberedTypes.map((type) => ({ ...numberSeries(entity, type), legalEntity: entity.code, type })),
  );
  const checked = known
    .filter(({ series, printed }) => last.has(series) || used.has(printed))
    .map((each) => check(each, last.get(each.series) ?? 0, used.get(each.printed)));
  const names = new Set(known.map(({ series }) => series));
  const prefixes = new Set(known.map(({ printed }) => printed));
  const unknown = { legalEntity: null, type: null } as const;
  return [
    ...checked,
    ...drawn
      .filter(({ series }) => !names.has(series))
      .map(({ series, lastNumber }) => check({ ...unknown, series, printed: series }, lastNumber, undefined)),
    ...inUse
      .filter(({ printed }) => !prefixes.has(printed))
      .map((each) => check({ ...unknown, series: each.printed, printed: each.printed }, 0, each)),
  ];
}

function check(
  named: Pick<CheckedSeries, 'series' | 'legalEntity' | 'type' | 'printed'>,
  lastNumber: number,
  used: NumbersInUse | undefined,
): CheckedSeries {
  const { documents = 0, highest = 0, duplicates = [] } = used ?? {};
  const isCutShort = highest < lastNumber;
  const gaps = [...(used?.gaps ?? []), ...(isCutShort ? [{ from: highest + 1, to: lastNumber }] : [])];
  const missing = (used?.missing ?? 0) + (isCutShort ? lastNumber - highest : 0);
  const beyond = highest > lastNumber ? highest : null;
  const holds = missing === 0 && duplicates.length === 0 && beyond === null;
  return { ...named, lastNumber, documents, missing, gaps, duplicates, beyond, holds };
}

/** One sentence of what is wrong with a series, for a finding and for people. */
export function describeBroken({ series, missing, gaps, duplicates, beyond, lastNumber }: CheckedSeries): string {
  const range = ({ from, to }: NumberGap): string => (from === to ? String(from) : `${from} to ${to}`);
  const parts = [
    missing === 0 ? null : `${missing} of the numbers drawn are on no document (${gaps.map(range).join(', ')})`,
    duplicates.length === 0 ? null : `several documents have the numbers ${duplicates.join(', ')}`,
    beyond === null ? null : `documents have numbers up to ${beyond}, but the last one drawn is ${lastNumber}`,
  ].filter((part) => part !== null);
  return `In the number series "${series}" ${parts.join('; ')}.`;
}
