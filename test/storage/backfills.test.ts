/** Backfills: what counts when, and that nothing slips into one that is decided. */
import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant, Position } from '../../src/domain/values.js';
import { createBackfillStore } from '../../src/storage/backfills.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import { createProofStore } from '../../src/storage/proof.js';
import { createRelayStore } from '../../src/storage/relay.js';
import type { AppendOutcome, BackfillStore, BillingPeriod, NewBackfill, UsageLedger } from '../../src/storage/types.js';
import { createFixture, type Fixture, instant, january, monthAt, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let ledger: UsageLedger;
let backfills: BackfillStore;
let customerId: string;
let period: BillingPeriod;

beforeAll(async () => {
  fixture = await createFixture(12);
  ledger = createUsageLedger(fixture.db, () => Promise.resolve([]));
  backfills = createBackfillStore(fixture.db);
});
afterAll(() => fixture.close());

beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
});

const wholeMonth = { from: january.from as Instant, to: january.to as Instant };

async function open(more: Partial<NewBackfill> = {}): Promise<string> {
  const backfillId = randomUUID();
  const asked: NewBackfill = {
    backfillId,
    customerIds: [customerId],
    range: wholeMonth,
    mode: 'add',
    reason: null,
    createdBy: 'ann',
  };
  await backfills.create({ ...asked, ...more });
  return backfillId;
}

const decide = (backfillId: string, decision: 'closed' | 'reverted') =>
  backfills.decide(backfillId, { decision, decidedBy: 'ann', reason: null });

function event(eventId: string, backfillId?: string, more: Partial<UsageEvent> = {}): UsageEvent {
  const made = usageEvent({ customerId, eventId, eventTime: '2024-01-15T10:00:00Z', ...more });
  return backfillId === undefined ? made : { ...made, backfillId };
}

const append = (...events: readonly UsageEvent[]): Promise<readonly AppendOutcome[]> => ledger.append(events, []);

describe('the same identity', () => {
  test('within one backfill a repeat is a duplicate, other content a conflict, in one batch and over two', async () => {
    const own = await open();
    const other = event('a', own, { metadataJson: '{"x":1}' });
    expect(await append(event('a', own), event('a', own), other)).toEqual(['accepted', 'duplicate', 'conflict']);
    expect(await append(event('b', own), event('a', own), other)).toEqual(['accepted', 'duplicate', 'conflict']);
    expect(await backfills.eventCount(own)).toBe(2);
  });

  test('in an open or reverted backfill it does not count, so nobody else is told that it does', async () => {
    const [one, two] = [await open(), await open()];
    expect(await append(event('a', one), event('a'), event('a', two))).toEqual([
      'accepted',
      'in_backfill',
      'in_backfill',
    ]);
    expect(await append(event('a'))).toEqual(['in_backfill']);
    expect(await append(event('a', two))).toEqual(['in_backfill']);
    expect(await append(event('a', undefined, { metadataJson: '{"x":1}' }))).toEqual(['conflict']);
    await decide(one, 'closed');
    expect(await append(event('a'))).toEqual(['duplicate']);
    expect(await append(event('a', two))).toEqual(['duplicate']);
    await decide(one, 'reverted');
    expect(await append(event('a'))).toEqual(['in_backfill']);
  });

  test('outside a backfill that replaces it is taken away by it: neither would count', async () => {
    await append(event('a'));
    const [adding, replacing] = [await open(), await open({ mode: 'replace' })];
    expect(await append(event('a', adding))).toEqual(['duplicate']);
    expect(await append(event('a', replacing), event('b'), event('b', replacing))).toEqual([
      'to_be_replaced',
      'accepted',
      'to_be_replaced',
    ]);
    const ownSource = event('a', replacing, { source: 'backfill-7' });
    expect(await append(ownSource)).toEqual(['accepted']);
  });
});

describe('decisions', () => {
  test('closing and reverting are facts with positions; repeating one changes nothing, and nothing is closed again', async () => {
    const own = await open({ reason: 'lost log' });
    expect(await backfills.find(own)).toEqual({
      backfillId: own,
      customerIds: [customerId],
      range: wholeMonth,
      mode: 'add',
      reason: 'lost log',
      createdBy: 'ann',
      createdAt: expect.any(String),
      status: 'open',
      decisions: [],
    });
    const closed = await decide(own, 'closed');
    expect(await decide(own, 'closed')).toEqual(closed);
    expect(closed).toMatchObject({ status: 'closed', decisions: [{ decision: 'closed', decidedBy: 'ann' }] });
    const reverted = await decide(own, 'reverted');
    expect(await decide(own, 'reverted')).toEqual(reverted);
    expect(reverted.decisions.map(({ decision }) => decision)).toEqual(['closed', 'reverted']);
    await expect(decide(own, 'closed')).rejects.toMatchObject({ code: 'BACKFILL_REVERTED' });
    expect(await backfills.find(own)).toEqual(reverted);
    const position = Number(reverted.decisions[1]?.position);
    expect(position).toBeGreaterThan(Number(reverted.decisions[0]?.position));
  });

  test('one that was never closed can be reverted: its events never count', async () => {
    const own = await open();
    await append(event('a', own));
    expect((await decide(own, 'reverted')).status).toBe('reverted');
    await expect(decide(own, 'closed')).rejects.toMatchObject({ code: 'BACKFILL_REVERTED' });
    await expect(decide(randomUUID(), 'closed')).rejects.toMatchObject({ code: 'BACKFILL_NOT_FOUND' });
  });

  test('a decided one takes no events; the others of the batch are stored', async () => {
    const [one, two] = [await open(), await open()];
    await decide(one, 'closed');
    const batch = [event('a', one), event('b', two), event('c'), event('d', one)];
    expect(await append(...batch)).toEqual(['backfill_closed', 'accepted', 'accepted', 'backfill_closed']);
    expect(await append(event('e', one))).toEqual(['backfill_closed']);
    expect(await ledger.findEvent(customerId, '', 'a')).toBeNull();
    expect((await ledger.findEvent(customerId, '', 'b'))?.backfillId).toBe(two);
    expect((await ledger.findEvent(customerId, '', 'c'))?.backfillId).toBeNull();
  });

  test('closed among many senders: every row has a lower position, every row was accepted, and nobody else waits', async () => {
    const own = await open();
    const other = await fixture.addCustomer();
    const outcomes: AppendOutcome[] = [];
    const send = async (sender: number): Promise<void> => {
      for (let batch = 0; batch < 12; batch += 1) {
        const events = Array.from({ length: 20 }, (_, i) => event(`s${sender}/${batch}/${i}`, own));
        outcomes.push(...(await ledger.append(events, [])));
        const ordinary = usageEvent({ customerId: other, eventId: `${sender}/${batch}`, eventTime: january.from });
        expect(await ledger.append([ordinary], [])).toEqual(['accepted']);
      }
    };
    const senders = Array.from({ length: 5 }, (_, sender) => send(sender));
    // In the middle: some batches have been answered, none of the senders is done.
    while (outcomes.length < 200) await new Promise((resolve) => setImmediate(resolve));
    const closing = decide(own, 'closed');
    await Promise.all(senders);
    const closed = await closing;
    const { rows } = await fixture.db.pool.query<{ n: string; last: Position }>(
      'SELECT count(*) AS n, max(position) AS last FROM telemetry_events WHERE backfill_id = $1',
      [own],
    );
    expect(new Set(outcomes)).toEqual(new Set(['accepted', 'backfill_closed']));
    expect(Number(rows[0]?.n)).toBe(outcomes.filter((outcome) => outcome === 'accepted').length);
    expect(Number(rows[0]?.last)).toBeLessThan(Number(closed.decisions[0]?.position));
  });
});

describe('looking', () => {
  test('by customer, by status, page by page, the newest first', async () => {
    const [one, two, three] = [await open(), await open(), await open({ customerIds: [await fixture.addCustomer()] })];
    await decide(two, 'closed');
    const ids = async (filter: Parameters<BackfillStore['list']>[0]): Promise<readonly string[]> =>
      (await backfills.list(filter, { limit: 100 })).data.map(({ backfillId }) => backfillId);
    expect(await ids({ customerId })).toEqual([two, one]);
    expect(await ids({ customerId, status: 'open' })).toEqual([one]);
    expect((await ids({ status: 'open' }))[0]).toBe(three);
    const first = await backfills.list({ customerId }, { limit: 1 });
    const second = await backfills.list({ customerId }, { limit: 1, cursor: first.nextCursor ?? '' });
    expect([first, second].map(({ data }) => data[0]?.backfillId)).toEqual([two, one]);
    expect(second.nextCursor).toBeNull();
  });

  test('which open ones cover a part of a stretch: half-open, of that customer', async () => {
    const range = { from: instant('2024-01-10T00:00:00Z'), to: instant('2024-01-20T00:00:00Z') };
    const own = await open({ range });
    const decided = await open({ range });
    await decide(decided, 'reverted');
    const at = (from: string, to: string) => backfills.openIn(customerId, { from: instant(from), to: instant(to) });
    expect(await at('2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z')).toEqual([{ backfillId: own, range }]);
    expect(await at('2024-01-01T00:00:00Z', '2024-01-10T00:00:00Z')).toEqual([]);
    expect(await at('2024-01-20T00:00:00Z', '2024-02-01T00:00:00Z')).toEqual([]);
    expect(await backfills.openIn(await fixture.addCustomer(), wholeMonth)).toEqual([]);
  });
});

describe('the relay', () => {
  test('tells of a decision: where its events are, and every period it held that is not invoiced', async () => {
    const relay = createRelayStore(fixture.db, { periodAt: (customer, at) => monthAt(fixture, customer, at) });
    await monthAt(fixture, customerId, '2024-03-05T00:00:00.000000Z' as Instant);
    const range = { from: instant('2023-12-01T00:00:00Z'), to: instant('2024-03-02T00:00:00Z') };
    const group = `group of ${customerId}`;
    const own = await open({ range });
    await append(event('a', own), event('february', own, { eventTime: '2024-02-05T00:00:00Z' as Instant }));
    const { epoch } = await relay.acquire(group);
    await relay.plan(group, epoch);
    const told = async () =>
      (await relay.due(0, 1_000))
        .filter((each) => each.customerId === customerId)
        .map((each) => [each.period, each.eventCount, each.sums]);
    expect(await told()).toEqual([]);
    await decide(own, 'closed');
    await relay.plan(group, epoch);
    // January and February have an event; February is created for it; March was only held; December does not exist.
    expect((await told()).sort()).toEqual([
      ['2024-01-01', 0, null],
      ['2024-02-01', 0, null],
      ['2024-03-01', 0, null],
    ]);
  });
});

test('what an open backfill brings shows nowhere; closed it counts, reverted it is gone; every past state stays', async () => {
  const meter = await fixture.addMeter({ code: `calls ${customerId}` });
  const proof = createProofStore(fixture.db);
  const own = await open();
  await append(event('before'), event('a', own), event('b', own));
  const opened = await fixture.horizon();
  await decide(own, 'closed');
  const closed = await fixture.horizon();
  await decide(own, 'reverted');
  const reverted = await fixture.horizon();
  const count = async (cutoff: Position) =>
    (await proof.rawUsage(period, [meter.meterId], cutoff)).reduce((sum, { eventCount }) => sum + eventCount, 0);
  expect(await Promise.all([opened, closed, reverted].map(count))).toEqual([1, 3, 1]);
});

describe('when it is closed while its events are on their way', () => {
  test('those that are stored keep their outcome, and only the others are told that it is closed', async () => {
    const own = await open();
    let letGo = (): void => undefined;
    const slow = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let copies = 0;
    const copyIn: typeof fixture.db.copyIn = async (...more) => {
      copies += 1;
      if (copies === 1) await slow;
      return fixture.db.copyIn(...more);
    };
    const slowLedger = createUsageLedger({ ...fixture.db, copyIn }, () => Promise.resolve([]));
    const names = ['e1', 'e2', 'e3', 'e4', 'e5'];
    const first = slowLedger.append([event('e5', own)], []);
    while (copies === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const second = slowLedger.append(
      names.map((name) => event(name, own)),
      [],
    );
    while ((await backfills.eventCount(own)) < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await decide(own, 'closed');
    letGo();
    expect(await first).toEqual(['backfill_closed']);
    expect(await second).toEqual(['accepted', 'accepted', 'accepted', 'accepted', 'backfill_closed']);
    expect(await backfills.eventCount(own)).toBe(4);
  });

  test('what is in the ledger is the duplicate or the conflict that it would be', async () => {
    const own = await open();
    expect(await append(event('a', own))).toEqual(['accepted']);
    await decide(own, 'closed');
    const other = event('a', own, { metadataJson: '{"x":1}' });
    const fresh = createUsageLedger(fixture.db, () => Promise.resolve([]));
    expect(await fresh.append([event('a', own), event('b', own), other], [])).toEqual([
      'duplicate',
      'backfill_closed',
      'conflict',
    ]);
  });
});
