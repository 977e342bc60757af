import { DomainFailure } from '../failure.js';
import { pointerTo, readName, readObject } from './wire-reader.js';
import type { WireObject } from './wire-reader.js';

/** How what a price or fee bills is named on documents and in the books; it decides no amount. */
export interface PriceItem {
  /** SKU; without it the meter's code or the fee's name. */
  readonly chargeCode?: string;
  /** What the customer reads instead of it. */
  readonly displayName?: string;
  /** Of the quantity: a word, or a code of UN/ECE recommendation 20. */
  readonly unit?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export const priceItemProperties = ['charge_code', 'display_name', 'unit', 'metadata'] as const;
const metadataLimit = 32;
const metadataTextLimit = 256;

/** Left out where a price says none of it, so that what was stored before stays as it is. @throws VALIDATION_FAILED */
export function parsePriceItem(wire: WireObject, pointer: string): { readonly item?: PriceItem } {
  const text = (name: string): string | undefined =>
    wire[name] === undefined || wire[name] === null ? undefined : readName(wire[name], pointerTo(pointer, name));
  const [chargeCode, displayName, unit] = [text('charge_code'), text('display_name'), text('unit')];
  const metadata = readMetadata(wire['metadata'], pointerTo(pointer, 'metadata'));
  const item: PriceItem = {
    ...(chargeCode !== undefined && { chargeCode }),
    ...(displayName !== undefined && { displayName }),
    ...(unit !== undefined && { unit }),
    ...(metadata !== undefined && { metadata }),
  };
  return Object.keys(item).length === 0 ? {} : { item };
}

function readMetadata(value: unknown, pointer: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const entries = Object.entries(readObject(value, pointer));
  if (entries.length > metadataLimit) refuse(`At most ${metadataLimit} properties are allowed here.`, pointer);
  for (const [name, text] of entries) {
    if (typeof text === 'string' && text.length <= metadataTextLimit && name.length <= metadataTextLimit) continue;
    refuse(`A text of at most ${metadataTextLimit} characters is expected here.`, pointerTo(pointer, name));
  }
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Record<string, string>);
}

function refuse(detail: string, pointer: string): never {
  throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
}

export interface PriceItemWire {
  readonly charge_code?: string;
  readonly display_name?: string;
  readonly unit?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export function priceItemToWire({ item = {} }: { readonly item?: PriceItem }): PriceItemWire {
  return {
    ...(item.chargeCode !== undefined && { charge_code: item.chargeCode }),
    ...(item.displayName !== undefined && { display_name: item.displayName }),
    ...(item.unit !== undefined && { unit: item.unit }),
    ...(item.metadata !== undefined && { metadata: item.metadata }),
  };
}
