/** Histories in the project's own types: meters, price books and events, as both levels of the proof need them. */
import { parse } from 'lossless-json';
import { parsePriceBook } from '../../../src/domain/rating/parse-price-book.js';
import type { PriceBookContent } from '../../../src/domain/rating/parse-price-book.js';
import type { UsageEvent } from '../../../src/domain/metering/event.js';
import type { Metadata } from '../../../src/domain/metering/metadata.js';
import type { Meter } from '../../../src/domain/metering/meter.js';
import type { Invoice } from '../../../src/domain/invoicing/invoice.js';
import { usageEvent } from '../../storage/usage-fixture.js';
import type { Content, HistoryPrice, HistoryVersion } from './history.js';
import { lineKey } from './oracle.js';

const shared = { windowSize: 'hour', allowedLateness: 'PT1H' } as const;

export const meterFacts: readonly Omit<Meter, 'meterId' | 'version'>[] = [
  {
    ...shared,
    code: 'calls',
    eventType: 'call',
    aggregation: 'count',
    valueProperty: null,
    groupBy: [],
    filters: { status: ['ok', 'slow'] },
    allowNegative: false,
    maxGroups: 1000,
    effectiveFrom: null,
  },
  {
    ...shared,
    code: 'bytes',
    eventType: 'transfer',
    aggregation: 'sum',
    valueProperty: 'bytes',
    groupBy: ['region'],
    filters: {},
    allowNegative: true,
    maxGroups: 1000,
    effectiveFrom: null,
  },
];

export function priceBookOf(
  { start, until, prices }: HistoryVersion,
  { code, version, currency }: { readonly code: string; readonly version: string; readonly currency: string },
): PriceBookContent {
  return parsePriceBook({
    code,
    version,
    currency,
    effective_from: start,
    ...(until !== null && { effective_until: until }),
    prices: [
      { meter: 'calls', ...wireOf(prices.calls) },
      { meter: 'bytes', ...(prices.bytes.pooled && { price_by: [] }), ...wireOf(prices.bytes) },
    ],
  });
}

function wireOf(price: HistoryPrice): object {
  if (price.model === 'flat') return { model: price.model, unit_price: price.unitPrice };
  return {
    model: price.model,
    charge_when_zero: price.chargeWhenZero,
    tiers: price.tiers.map(({ upTo, unitPrice, flatFee }) => ({
      up_to: upTo,
      unit_price: unitPrice,
      flat_fee: flatFee,
    })),
  };
}

export function eventOf(customerId: string, eventId: string, content: Content): UsageEvent {
  const metadataJson = metadataOf(content);
  return usageEvent({ customerId, eventId, eventType: content.type, eventTime: content.time, metadataJson });
}

function metadataOf(content: Content): string {
  if (content.type === 'call') return `{"status":"${content.status}"}`;
  const { bytes, asNumber, region } = content;
  return `{"bytes":${asNumber ? bytes : `"${bytes}"`}${region === null ? '' : `,"region":"${region}"`}}`;
}

export const parsedMetadata = ({ metadataJson }: Pick<UsageEvent, 'metadataJson'>): Metadata =>
  parse(metadataJson) as Metadata;

/** What these documents come to line by line, in minor units; lines of 0 left out. */
export function linesOfDocuments(
  documents: readonly Pick<Invoice, 'lines'>[],
  minorDigits: number,
): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { meter, group, amount } of documents.flatMap(({ lines }) => lines)) {
    const key = lineKey(meter ?? '', group);
    sums.set(key, (sums.get(key) ?? 0n) + minorUnitsOf(amount, minorDigits));
  }
  return new Map([...sums].filter(([, amount]) => amount !== 0n));
}

/** @throws when the amount is finer than the minor unit */
export function minorUnitsOf(amount: string, minorDigits: number): bigint {
  const [whole = '', fraction = ''] = amount.split('.');
  if (fraction.length > minorDigits) throw new Error(`${amount} is finer than ${minorDigits} digits`);
  return BigInt(whole + fraction.padEnd(minorDigits, '0'));
}
