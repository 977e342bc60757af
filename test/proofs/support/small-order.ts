/** Billing a handful of events in memory, from ledger to document. */
import { createHash } from 'node:crypto';
import { buildInvoice } from '../../../src/domain/invoicing/build-invoice.js';
import { invoiceHashInput } from '../../../src/domain/invoicing/hash-input.js';
import { aggregate, mergeUsage, usageBySegment } from '../../../src/domain/metering/fold.js';
import type { MeteredEvent } from '../../../src/domain/metering/fold.js';
import { ratePeriod } from '../../../src/domain/rating/rate.js';
import { priceSegments } from '../../../src/domain/rating/segments.js';
import type { Instant, LocalDate, Position } from '../../../src/domain/values.js';
import { canonicalJson } from '../../../src/storage/canonical-json.js';
import { meterOf } from '../../storage/usage-fixture.js';
import { periods } from './history.js';
import type { Content } from './history.js';
import { priceBooks } from './order-facts.js';
import { eventOf, meterFacts, parsedMetadata } from './project-facts.js';

export interface Delivery {
  readonly id: string;
  readonly content: Content;
  readonly isAmendment?: boolean;
}

const meters = meterFacts.map((meter) => meterOf({ ...meter, meterId: meter.code }));
const versions = priceBooks.map((content, index) => ({
  ...content,
  priceBookId: content.version,
  learnedOrder: index + 1,
}));
const [january] = periods;
const period = {
  period: january.name as LocalDate,
  from: january.from as Instant,
  to: january.to as Instant,
  timeZone: 'UTC',
  cuts: [],
};
const segments = priceSegments(period, {
  assignments: [{ priceBook: 'book', effectiveFrom: null, learnedOrder: 1 }],
  versions,
  startOfDay: (date) => `${date}T00:00:00.000000Z` as Instant,
});

/**
 * What counts once everything was delivered, in the order of arrival: a repeat changes nothing. An amendment that comes before
 * its event is refused, and sent again at the end.
 */
export function deliver(deliveries: readonly Delivery[]): ReadonlyMap<string, Content> {
  const known = new Map<string, Content>();
  const amendments: Delivery[] = [];
  for (const delivery of deliveries) {
    const { id, content } = delivery;
    if (delivery.isAmendment === true) {
      if (known.has(id)) known.set(id, content);
      else amendments.push(delivery);
    } else if (!known.has(id)) {
      known.set(id, content);
    }
  }
  for (const { id, content } of amendments) if (known.has(id)) known.set(id, content);
  return known;
}

export function meteredEvents(known: ReadonlyMap<string, Content>): readonly MeteredEvent[] {
  return [...known].map(([id, content]) => {
    const event = eventOf('c1', id, content);
    return { ...event, metadata: parsedMetadata(event) };
  });
}

/** The canonical text of the invoice of these batches, each aggregated for itself. */
export function documentText(batches: readonly (readonly MeteredEvent[])[]): string {
  const windows = mergeUsage(...batches.map((events) => aggregate(events, meters, period).windows));
  const usage = usageBySegment(windows, segments);
  const { lines, problems } = ratePeriod({ period, currency: 'USD', meters, segments, usage });
  if (problems.length > 0) throw new Error(problems.map(({ detail }) => detail).join(' '));
  const document = buildInvoice({
    invoiceId: 'invoice',
    chainPlace: 1,
    replacesInvoiceId: null,
    customerId: 'c1',
    currency: 'USD',
    period,
    seller: { name: 'Seller' },
    buyer: { name: 'Buyer' },
    paymentTermsDays: 14,
    issuedAt: period.to,
    cutoffPosition: '0' as Position,
    pinnedVersions: { customer_version_id: 'v1', meter_ids: [], price_segments: [] },
    lines,
    lineItemId: (lineKey) => `line ${lineKey}`,
    // As in storage, a charge's id is made of everything that it says, digest included.
    chargeIds: lines
      .flatMap(({ charges }) => charges)
      .map((charge) => createHash('sha256').update(canonicalJson(charge)).digest('hex')),
  });
  return canonicalJson(invoiceHashInput(document));
}
