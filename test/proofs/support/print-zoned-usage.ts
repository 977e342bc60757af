/**
 * Meters and closes the scenes on the database in DATABASE_URL, and prints what came out as JSON: whatever TZ it runs under, it must
 * print the same.
 */
import { usageOf } from '../../../src/api/services/usage.js';
import { reconcilePeriod } from '../../../src/billing/reconcile-period.js';
import { parsePriceBook } from '../../../src/domain/rating/parse-price-book.js';
import { microsToInstant } from '../../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../../src/domain/values.js';
import { createStorage } from '../../../src/storage/index.js';
import type { Storage } from '../../../src/storage/types.js';
import { acme, usageEvent } from '../../storage/usage-fixture.js';
import { codeOf, zonedEvents, zonedMeters, zonedScenes } from './zoned-scenes.js';
import type { ZonedScene } from './zoned-scenes.js';

async function createFacts({ reference }: Storage): Promise<void> {
  for (const meter of zonedMeters) {
    const [aggregation, windowSize] = meter;
    const valueProperty = aggregation === 'count' ? null : 'value';
    const always = { groupBy: [], filters: {}, allowedLateness: 'PT1H', allowNegative: true, maxGroups: 10 } as const;
    await reference.createMeter({
      ...always,
      ...{ code: codeOf(meter), eventType: 'e', aggregation, valueProperty, windowSize, effectiveFrom: null },
    });
  }
  const prices = zonedMeters.map((meter) => ({ meter: codeOf(meter), model: 'flat', unit_price: '0.01' }));
  const content = { code: 'zoned', version: 'v1', currency: 'USD', effective_from: '2000-01-01T00:00:00Z', prices };
  await reference.createPriceBook(parsePriceBook(content));
}

async function resultOf(storage: Storage, scene: ZonedScene): Promise<unknown> {
  const { customerId, timeZone, anchorDay: billingAnchorDay, at } = scene;
  const facts = { ...acme, timeZone, billingAnchorDay, billingFrom: '2000-01-01' as LocalDate, priceBook: 'zoned' };
  await storage.reference.putCustomer(customerId, facts, null);
  await storage.reference.assignPriceBook(customerId, facts.priceBook, null, {
    effectiveUntil: null,
    decidedBy: 'a test',
  });
  const events = zonedEvents(scene).map(({ eventId, micros, value }) => {
    const eventTime = microsToInstant(micros);
    return usageEvent({ customerId, eventId, eventType: 'e', eventTime, metadataJson: `{"value":${value}}` });
  });
  await storage.ledger.append(events, []);
  const period = await storage.periods.periodAt(customerId, at.replace('Z', '.000000Z') as Instant);
  const { meters, total } = await usageOf(storage, period);
  const { revisions } = await storage.usage.closeWindows(period, null, [], null);
  const { result } = await reconcilePeriod(storage, period);
  const { customerId: _customer, customerVersionId: _version, ...bounds } = period;
  return { bounds, meters, total, revisions, result, stored: await storage.proof.finalWindows(period).then(figures) };
}

/** Ids are made up a database. */
const figures = (windows: readonly object[]): readonly unknown[] =>
  windows.map((window) => ({ ...window, meterId: undefined }));

const storage = createStorage(process.env['DATABASE_URL'] ?? '');
try {
  await createFacts(storage);
  const results: Record<string, unknown> = {};
  for (const scene of zonedScenes) results[scene.customerId] = await resultOf(storage, scene);
  const offsetMinutes = new Date(1_720_000_000_000).getTimezoneOffset();
  process.stdout.write(JSON.stringify({ offsetMinutes, results }));
} finally {
  await storage.close();
}
