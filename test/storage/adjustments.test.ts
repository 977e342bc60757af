/** Voids and amendments as facts of the ledger: positions, duplicates, and one at a time for each event. */
import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { createAdjustmentStore } from '../../src/storage/adjustments.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import { uuidOf } from '../../src/storage/identifiers.js';
import { partitionOf } from '../../src/storage/partition.js';
import type { AdjustmentStore, NewEventAdjustment, Replacement } from '../../src/storage/types.js';
import { createFixture, type Fixture, instant, metadataOf, meterOf, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let adjustments: AdjustmentStore;
beforeAll(async () => {
  fixture = await createFixture();
  const bytes = meterOf({ code: 'bytes', valueProperty: 'bytes' });
  adjustments = createAdjustmentStore(fixture.db, () => Promise.resolve([bytes]));
});
afterAll(() => fixture.close());

let event: UsageEvent;
beforeEach(async () => {
  const customerId = await fixture.addCustomer();
  event = usageEvent({ customerId, eventId: 'e1', source: 'shop', eventTime: '2024-01-10T10:00:00.5Z' });
  await fixture.append([event]);
});

function replacementOf(metadataJson: string, time = '2024-01-11T00:00:00Z'): Replacement {
  const facts = { eventType: 'api_call', eventTime: instant(time), metadataJson };
  return { ...facts, contentHash: contentHashOf({ ...event, ...facts, metadata: metadataOf(metadataJson) }) };
}
const identity = (): Pick<NewEventAdjustment, 'customerId' | 'source' | 'eventId'> => ({
  customerId: event.customerId,
  source: event.source,
  eventId: event.eventId,
});
const voided = (): NewEventAdjustment => ({ ...identity(), type: 'void', replacement: null, reason: 'a test' });
const amended = (metadataJson: string): NewEventAdjustment => ({
  ...identity(),
  type: 'amend',
  replacement: replacementOf(metadataJson),
  reason: null,
});

test('an amendment is stored as it came, with a position of the ledger and an id of its place', async () => {
  const before = await fixture.horizon();
  const amendment = amended('{"bytes":"1.50"}');
  const { outcome, adjustment } = await adjustments.adjust(amendment);
  expect(outcome).toBe('accepted');
  // The database writes JSON in its own way.
  expect(adjustment).toMatchObject({ ...amendment, replacement: replacementOf('{"bytes": "1.50"}') });
  expect(adjustment.adjustmentId).toBe(uuidOf('event-adjustment', event.customerId, 'shop', 'e1', 1));
  expect(BigInt(adjustment.position)).toBeGreaterThan(BigInt(before));
  expect(await fixture.horizon()).toBe(adjustment.position);
  expect(await adjustments.ofEvent(event.customerId, 'shop', 'e1')).toEqual([adjustment]);
  const { rows } = await fixture.db.pool.query<{ partition: number }>(
    'SELECT partition FROM event_adjustments WHERE adjustment_id = $1',
    [adjustment.adjustmentId],
  );
  expect(rows[0]?.partition).toBe(partitionOf(event.customerId));
});

test('what says the same as the last adjustment is a duplicate; what said so before that is not', async () => {
  const outcomes: string[] = [];
  const steps = [
    amended('{"bytes":"10"}'),
    amended('{"bytes":"10.0"}'),
    amended('{"bytes":10}'),
    amended('{"bytes":"11"}'),
    amended('{"bytes":"10"}'),
    voided(),
    { ...voided(), reason: 'another reason' },
    amended('{"bytes":"10"}'),
  ];
  for (const step of steps) outcomes.push((await adjustments.adjust(step)).outcome);
  expect(outcomes).toEqual([
    'accepted',
    'duplicate',
    'duplicate',
    'accepted',
    'accepted',
    'accepted',
    'duplicate',
    'accepted',
  ]);
  const stored = await adjustments.ofEvent(event.customerId, 'shop', 'e1');
  expect(stored.map(({ type }) => type)).toEqual(['amend', 'amend', 'amend', 'void', 'amend']);
  expect(stored[3]?.reason).toBe('a test');
});

describe('a request', () => {
  test('that is repeated changes nothing, whatever was decided since, and is told what it was told', async () => {
    const [voiding, other] = [randomUUID(), randomUUID()];
    const first = await adjustments.adjust(voided(), voiding);
    const amendment = await adjustments.adjust(amended('{"bytes":"10"}'), other);
    expect([first.outcome, amendment.outcome]).toEqual(['accepted', 'accepted']);
    expect(await adjustments.adjust(voided(), voiding)).toEqual({ outcome: 'duplicate', adjustment: first.adjustment });
    expect(await adjustments.ofRequest(voiding)).toEqual(first.adjustment);
    expect(await adjustments.ofEvent(event.customerId, 'shop', 'e1')).toEqual([first.adjustment, amendment.adjustment]);
    // By another one it is voided once more.
    expect((await adjustments.adjust(voided(), randomUUID())).outcome).toBe('accepted');
    expect(await adjustments.ofRequest(randomUUID())).toBeNull();
  });

  test('that found the event as it asked is known, too', async () => {
    const first = await adjustments.adjust(voided(), randomUUID());
    const second = randomUUID();
    const told = { outcome: 'duplicate', adjustment: first.adjustment };
    expect(await adjustments.adjust(voided(), second)).toEqual(told);
    await adjustments.adjust(amended('{"bytes":"10"}'));
    expect(await adjustments.adjust(voided(), second)).toEqual(told);
    expect((await adjustments.ofEvent(event.customerId, 'shop', 'e1')).map(({ type }) => type)).toEqual([
      'void',
      'amend',
    ]);
  });

  test('at once with itself is carried out once', async () => {
    const request = randomUUID();
    const all = await Promise.all(Array.from({ length: 8 }, () => adjustments.adjust(amended('{"bytes":1}'), request)));
    expect(all.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1);
  });
});

test('the same void from everywhere at once is stored once', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => adjustments.adjust(voided())));
  expect(all.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1);
  expect(new Set(all.map(({ adjustment }) => adjustment.adjustmentId)).size).toBe(1);
});

test('different amendments at once are all stored, in the order of their positions', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, n) => adjustments.adjust(amended(`{"bytes":${n}}`))));
  const stored = await adjustments.ofEvent(event.customerId, 'shop', 'e1');
  expect(stored.map(({ adjustmentId }) => adjustmentId)).toEqual(
    stored.map((_, index) => uuidOf('event-adjustment', event.customerId, 'shop', 'e1', index + 1)),
  );
  expect(stored).toHaveLength(8);
});

test.each([
  ['customer', { customerId: 'nobody' }],
  ['source', { source: '' }],
  ['id', { eventId: 'e2' }],
])('an event of another %s is not found', async (_, other) => {
  const unknown = adjustments.adjust({ ...voided(), ...other });
  await expect(unknown).rejects.toMatchObject({ code: 'EVENT_NOT_FOUND' });
  expect(await adjustments.ofEvent(event.customerId, 'shop', 'e1')).toEqual([]);
});

test('a replacement with the hash of another content is a defect, and stored nowhere', async () => {
  const amendment = amended('{"bytes":1}');
  const wrong = { ...replacementOf('{"bytes":1}'), contentHash: '7' };
  await expect(adjustments.adjust({ ...amendment, replacement: wrong })).rejects.toThrow('its own content hash');
  await expect(adjustments.adjust({ ...voided(), replacement: wrong })).rejects.toThrow('a void has none');
  expect(await adjustments.ofEvent(event.customerId, 'shop', 'e1')).toEqual([]);
});
