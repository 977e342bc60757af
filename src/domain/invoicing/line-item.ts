/** What document schema 2 says of a line beside schema 1: what kind it is, what it is called in the books, where it comes from. */
import { decimal, toDecimalString } from '../decimal.js';
import { sumDigests } from '../metering/digest.js';
import type { PriceItem } from '../rating/price-item.js';
import { commitmentLineKey } from '../rating/line-key.js';
import type { Calculation, RatedCharge, RatedLine } from '../rating/rating.js';
import type { DecimalString, Digest, GroupKey } from '../values.js';
import type { Invoice, InvoiceLineItem } from './invoice.js';

/** Of stored lines the first four (RULES 54); sections have rows of the others too. */
export const lineKinds = ['usage', 'fee', 'commitment', 'adjustment', 'discount', 'prepaid_draw', 'tax'] as const;
export type LineKind = (typeof lineKinds)[number];

/** The version of the shape that a document's hash covers; 1 is what was issued before there was a version. */
export const documentSchemaVersion = 2;

/** Plain JSON: stored as it stands. */
export interface LineProvenance {
  readonly meter_versions: readonly { readonly meter_id: string; readonly version: number }[];
  readonly price_book_versions: readonly { readonly price_book: string; readonly version: string }[];
  /** Of the events that the quantity was taken from. */
  readonly event_count: number;
  /** null: the document does not say. */
  readonly digest: Digest | null;
}

export interface LineItemFacts {
  readonly kind: LineKind;
  /** SKU: the price's charge code, else the meter or the fee's name. */
  readonly chargeCode: string;
  readonly unit: string | null;
  /** Only where quantity × unit price is the whole line; else null, and the formula says more. */
  readonly unitPrice: DecimalString | null;
  /** The customer's, and the pricing group's, which win. */
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly provenance: LineProvenance;
  /** The document's tax lines that it is part of. */
  readonly taxLines: readonly number[];
}

/** A meter version that a document may name. */
export interface NamedMeter {
  readonly code: string;
  readonly meterId: string;
  readonly version: number;
}

interface ItemSource {
  readonly lineKey: string;
  readonly meter: string | null;
  readonly name: string;
  readonly group: GroupKey;
  readonly item: PriceItem;
  /** null: nothing is left of the line. */
  readonly charges:
    readonly Pick<RatedCharge, 'amount' | 'quantity' | 'digest' | 'eventCount' | 'calculation'>[] | null;
  readonly isAdjustment: boolean;
}

interface ItemContext {
  readonly tags: Readonly<Record<string, string>>;
  readonly meters: readonly NamedMeter[];
}

export function lineItemFacts(source: ItemSource, { tags, meters }: ItemContext): LineItemFacts {
  const { meter, item, isAdjustment } = source;
  const charges = source.charges ?? [];
  const books = charges.map(({ calculation }) => ({
    price_book: calculation.price_book,
    version: calculation.price_book_version,
  }));
  return {
    kind: isAdjustment ? 'adjustment' : kindOf(source.lineKey, meter),
    chargeCode: chargeCodeOf(source),
    unit: item.unit ?? null,
    // A difference is not a quantity times a price.
    unitPrice: isAdjustment ? null : unitPriceOf(charges),
    tags: { ...tags, ...groupTags(source.group) },
    metadata: item.metadata ?? {},
    provenance: {
      meter_versions: meters
        .filter(({ code }) => code === meter)
        .map(({ meterId, version }) => ({ meter_id: meterId, version })),
      price_book_versions: uniqueOf(books),
      event_count: charges.reduce((sum, { eventCount }) => sum + eventCount, 0),
      digest: sumDigests(charges.map(({ digest }) => digest)),
    },
    taxLines: [],
  };
}

/** What the books call a line. */
export function chargeCodeOf({
  item,
  meter,
  name,
  lineKey,
}: Pick<RatedLine, 'item' | 'meter' | 'name' | 'lineKey'>): string {
  return item?.chargeCode ?? meter ?? name ?? lineKey;
}

function kindOf(lineKey: string, meter: string | null): 'usage' | 'fee' | 'commitment' {
  if (meter !== null) return 'usage';
  return lineKey === commitmentLineKey ? 'commitment' : 'fee';
}

function groupTags(group: GroupKey): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(group).filter((entry): entry is [string, string] => entry[1] !== null));
}

/** The one price that every charge of a line multiplies its quantity with, and nothing else; null: there is none. */
function unitPriceOf(
  charges: readonly { readonly amount?: DecimalString; readonly calculation: Calculation }[],
): DecimalString | null {
  const [first] = charges;
  const price = first?.calculation.unit_price ?? null;
  if (price === null) return null;
  const isWhole = charges.every(({ amount, calculation }) => {
    const { unit_price: own, quantity, conversion } = calculation;
    if (own === null || conversion !== undefined || !decimal(own).equals(decimal(price))) return false;
    // A stored line has no amounts of its charges: what changes an amount stands in its calculation.
    if (amount === undefined) return isPlain(calculation);
    return decimal(quantity).times(decimal(own)).equals(decimal(amount));
  });
  return isWhole ? toDecimalString(decimal(price)) : null;
}

function isPlain({
  model,
  included,
  package: packages,
  discount,
  limit,
  fixed,
  percentage,
  tiers,
}: Calculation): boolean {
  const extras = [included, packages, discount, limit, percentage, fixed?.elapsed_seconds];
  return (model === 'flat' || model === 'fixed') && tiers.length === 0 && extras.every((extra) => extra === undefined);
}

function uniqueOf<T>(values: readonly T[]): readonly T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

/** Of a line of schema 1 as much as it says by itself: it knew no tags, and nothing of meter versions. */
export function itemOf(
  line: Pick<InvoiceLineItem, 'lineKey' | 'meter' | 'description' | 'group' | 'calculation' | 'item'>,
  { type }: Pick<Invoice, 'type'>,
): LineItemFacts {
  if (line.item !== undefined) return line.item;
  const { charges, event_count: eventCount = 0 } = line.calculation;
  const isAdjustment = type !== 'invoice';
  return {
    kind: isAdjustment ? 'adjustment' : kindOf(line.lineKey, line.meter),
    chargeCode: line.meter ?? line.description,
    unit: null,
    unitPrice: isAdjustment ? null : unitPriceOf(charges.map((calculation) => ({ calculation }))),
    tags: groupTags(line.group),
    metadata: {},
    provenance: {
      meter_versions: [],
      price_book_versions: uniqueOf(
        charges.map(({ price_book, price_book_version: version }) => ({ price_book, version })),
      ),
      event_count: eventCount,
      digest: null,
    },
    taxLines: [],
  };
}
