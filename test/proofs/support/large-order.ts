/** Billing 2,000 events on real Postgres: always the same events, in an order, batches and moments of closing of chance. */
import { randomUUID } from 'node:crypto';
import type { CloseWindowsInput } from '../../../src/contracts/activities.js';
import { invoiceHashInput } from '../../../src/domain/invoicing/hash-input.js';
import type { UsageEvent } from '../../../src/domain/metering/event.js';
import type { LocalDate } from '../../../src/domain/values.js';
import { canonicalJson } from '../../../src/storage/canonical-json.js';
import type { NewEventAdjustment } from '../../../src/storage/types.js';
import { createActivityFixture, january } from '../../activities/fixture.js';
import type { ActivityFixture } from '../../activities/fixture.js';
import type { Content } from './history.js';
import { priceBooks } from './order-facts.js';
import { eventOf } from './project-facts.js';
import { integerOf, pick, randomFrom, shuffled, split } from './random-order.js';
import type { Random } from './random-order.js';
import { createMeters } from './stored-books.js';

const customerId = 'c1';
const billingDay = '2024-02-01' as LocalDate;
const eventCount = 2_000;
const sendersMax = 3;

export interface Billed {
  /** Everything that must not depend on the order. */
  readonly text: string;
  /** What may, and does where the orders differ: places in the ledger. */
  readonly marks: string;
}

interface LargeFacts {
  readonly events: readonly UsageEvent[];
  /** By event, in the order in which they must come. */
  readonly adjustments: ReadonlyMap<string, readonly NewEventAdjustment[]>;
}

export const facts = largeFacts(randomFrom(7));

function largeFacts(random: Random): LargeFacts {
  const events = Array.from({ length: eventCount }, (_, index) => eventOf(customerId, `e${index}`, contentOf(random)));
  const adjustments = new Map<string, readonly NewEventAdjustment[]>();
  for (const { eventId } of events.filter((_, index) => index % 40 === 0)) {
    const amend = amendment(eventId, contentOf(random));
    const its = { customerId, source: '', eventId, reason: null, type: 'void', replacement: null } as const;
    adjustments.set(eventId, pick<readonly NewEventAdjustment[]>(random, [[amend], [its], [amend, its], [its, amend]]));
  }
  return { events, adjustments };
}

function amendment(eventId: string, content: Content): NewEventAdjustment {
  const replacement = eventOf(customerId, eventId, content);
  return { customerId, source: '', eventId, reason: null, type: 'amend', replacement };
}

function contentOf(random: Random): Content {
  const time = timeIn(random);
  if (random() < 0.5) return { type: 'call', time, status: pick(random, ['ok', 'slow', 'failed']) };
  const bytes = `${integerOf(random, 0, 99)}.${integerOf(random, 0, 9999)}`;
  return { type: 'transfer', time, bytes, asNumber: random() < 0.5, region: pick(random, ['eu', 'us', null]) };
}

/** Mostly in January, sometimes before or after it. */
function timeIn(random: Random): string {
  const ms = Date.UTC(2024, 0, 1) + integerOf(random, -2 * 86_400_000, 33 * 86_400_000);
  return new Date(ms).toISOString().replace('Z', `${String(integerOf(random, 0, 999)).padStart(3, '0')}Z`);
}

/** In a database of its own. */
export async function billInOrder(random: Random): Promise<Billed> {
  const fixture = await createActivityFixture();
  try {
    await createMeters(fixture);
    for (const priceBook of priceBooks) await fixture.storage.reference.createPriceBook(priceBook);
    await fixture.addCustomer(customerId, { priceBook: 'book' });
    await fixture.storage.periods.periodNamed(customerId, january);
    await ingest(fixture, random);
    return await issue(fixture);
  } finally {
    await fixture.close();
  }
}

/** Three calls, and one that comes and is void again; closings that rate after either step, or none. */
export async function billThereAndBack(closes: boolean): Promise<string> {
  const fixture = await createActivityFixture();
  try {
    await fixture.addCustomer(customerId);
    for (const [count, from] of [
      [3, '2024-01-10T00:00:00Z'],
      [1, '2024-01-25T00:00:00Z'],
    ] as const) {
      await fixture.addCalls(customerId, count, from);
      if (closes) await closeAndRate(fixture, { nowMs: Date.parse('2024-02-01T00:30:00Z'), scope: 'all', rate: true });
    }
    const its = { customerId, source: '', eventId: '2024-01-25T00:00:00Z/0', reason: null };
    await fixture.storage.adjustments.adjust({ ...its, type: 'void', replacement: null });
    return (await issue(fixture)).text;
  } finally {
    await fixture.close();
  }
}

/** Some batches at the same time, some events again, adjustments once their event is there, closings in between. */
async function ingest(fixture: ActivityFixture, random: Random): Promise<void> {
  const repeated = shuffled(random, facts.events).slice(0, integerOf(random, 0, 300));
  const batches = split(random, shuffled(random, [...facts.events, ...repeated]), pick(random, [20, 150, 600]));
  const pending = new Map(facts.adjustments);
  const arrived = new Set<string>();
  for (const together of split(random, batches, sendersMax)) {
    await Promise.all(together.map((batch) => fixture.storage.ledger.append(batch, [])));
    for (const { eventId } of together.flat()) arrived.add(eventId);
    for (const [eventId, adjustments] of shuffled(random, [...pending])) {
      if (!arrived.has(eventId) || random() < 0.5) continue;
      pending.delete(eventId);
      for (const adjustment of adjustments) await fixture.storage.adjustments.adjust(adjustment);
    }
    if (random() < 0.1) {
      const nowMs = Date.parse('2024-01-20T00:00:00Z') + integerOf(random, 0, 20 * 86_400_000);
      await closeAndRate(fixture, { nowMs, scope: pick<'due' | 'all'>(random, ['due', 'all']), rate: random() < 0.5 });
    }
  }
  for (const adjustment of [...pending.values()].flat()) await fixture.storage.adjustments.adjust(adjustment);
}

async function closeAndRate(
  { activities, run }: ActivityFixture,
  how: Pick<CloseWindowsInput, 'nowMs' | 'scope' | 'rate'>,
): Promise<void> {
  const what = { customerId, period: january, windows: [], accumulatedThrough: null };
  await run(activities.closeWindows, { ...what, ...how });
}

async function issue(fixture: ActivityFixture): Promise<Billed> {
  await fixture.request(customerId, randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
  const { data } = await fixture.storage.billing.listInvoices({ customerId }, { limit: 10 });
  const [invoice] = data;
  if (invoice === undefined || data.length > 1) throw new Error(`${data.length} documents instead of one`);
  const events = await fixture.storage.ledger.listEvents({ customerId }, { limit: 10 });
  return {
    text: canonicalJson({ ...invoiceHashInput(invoice), document_hash: invoice.documentHash }),
    marks: events.data.map(({ eventId, position }) => `${eventId} at ${position}`).join(),
  };
}
