import type { InvoiceType } from './invoice.js';

/** The seller of the configuration. */
export const defaultLegalEntity = 'default';

/** Who issues documents, as far as their numbers are concerned. */
export interface NumberedEntity {
  readonly code: string;
  /** null: the default one, whose numbers begin with the type. */
  readonly numberPrefix: string | null;
}

/** A gapless series of numbers. */
export interface NumberSeries {
  /** The name by which numbers are drawn. */
  readonly series: string;
  /** What the printed numbers begin with, without the hyphen before the digits. */
  readonly printed: string;
}

const typeCodes = { invoice: 'INV', correction: 'COR', credit_note: 'CN' } as const satisfies Record<
  InvoiceType,
  string
>;

export const numberedTypes = Object.keys(typeCodes) as readonly InvoiceType[];

/**
 * The series a document's number is drawn from: one a legal entity and type of document (RULES 59). Credit notes are one
 * series, whether a correction or a person made them. Printed numbers of two series never read the same: a prefix belongs to
 * one entity, and the last two parts of a number are type and digits.
 */
export function numberSeries({ code, numberPrefix }: NumberedEntity, type: InvoiceType): NumberSeries {
  const printed = typeCodes[type];
  if (code === defaultLegalEntity) return { series: type, printed };
  return { series: `${code}/${type}`, printed: `${numberPrefix ?? code}-${printed}` };
}

/** What is printed of a number of a series: at least six digits, more when they are needed. */
export const printedNumber = ({ printed }: NumberSeries, drawn: number): string =>
  `${printed}-${String(drawn).padStart(6, '0')}`;
