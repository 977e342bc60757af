import { decimal, toDecimalString } from '../decimal.js';
import { formatAmount } from '../money/rounding.js';
import type { GroupKey } from '../values.js';
import type { LineKind } from './line-item.js';
import type { SectionDetail } from './section-details.js';
import type { Section } from './sections.js';

export interface SectionWire {
  readonly kind: LineKind;
  readonly title: string;
  readonly meter: string | null;
  readonly amount: string;
  readonly rows: readonly {
    readonly kind: LineKind;
    readonly description: string;
    readonly charge_code: string | null;
    readonly group: GroupKey;
    readonly quantity: string | null;
    readonly unit: string | null;
    readonly amount: string;
    readonly line_item_ids: readonly string[];
    readonly details: readonly SectionDetail[];
  }[];
  readonly by_dimension: readonly {
    readonly dimension: string;
    readonly value: string | null;
    readonly amount: string;
  }[];
}

export function sectionToWire({ byDimension, ...section }: Section, currency: string): SectionWire {
  const amount = (value: Section['amount']): string => formatAmount(value, currency);
  return {
    kind: section.kind,
    title: section.title,
    meter: section.meter,
    amount: amount(section.amount),
    rows: section.rows.map((row) => ({
      kind: row.kind,
      description: row.description,
      charge_code: row.chargeCode,
      group: row.group,
      quantity: row.quantity === null ? null : toDecimalString(decimal(row.quantity)),
      unit: row.unit,
      amount: amount(row.amount),
      line_item_ids: row.lineItemIds,
      details: row.details,
    })),
    by_dimension: byDimension.map((total) => ({ ...total, amount: amount(total.amount) })),
  };
}
