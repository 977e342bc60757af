/** The joint holds: the moments at which an event, a relay or a correction could slip through, each by itself. */
import { createActivities } from '../../src/activities/index.js';
import { createStorage } from '../../src/storage/index.js';
import { openDatabase } from '../../src/storage/database.js';
import { createRelayStore } from '../../src/storage/relay.js';
import { RelayFenced } from '../../src/storage/relay-cursor.js';
import type { GateTransaction, Storage } from '../../src/storage/types.js';
import { issuedAt, settings } from '../activities/fixture.js';
import type { JointBooks } from './support/joint-books.js';
import { group, january, JointScene } from './support/joint-scene.js';
import type { Call } from './support/joint-scene.js';

let scene: JointScene;
let others: Storage;
beforeAll(async () => {
  scene = await JointScene.open();
  others = createStorage(scene.fixture.url);
});
afterAll(async () => {
  await others.close();
  await scene.close();
});

const call = (eventId: string, minute = 0): Call => ({
  eventId,
  time: `2024-01-10T10:${String(minute).padStart(2, '0')}:00Z`,
  bytes: 10,
});

async function expectSettled(books: JointBooks): Promise<void> {
  await books.finish();
  expect(await books.state()).toEqual(books.expected());
}

async function totals(books: JointBooks): Promise<readonly string[]> {
  const [period] = books.periods;
  return period === undefined ? [] : (await books.documents(period)).map(({ total }) => total);
}

/** The fixture's activities on storage whose gate does something between its cutoff and its commit. */
function withinGate(work: (gate: GateTransaction) => Promise<void>): ReturnType<typeof createActivities> {
  const { storage } = scene;
  const working =
    <P extends unknown[], T>(issue: (gate: GateTransaction, ...of: P) => Promise<T>) =>
    async (gate: GateTransaction, ...of: P): Promise<T> => {
      const result = await issue(gate, ...of);
      await work(gate);
      return result;
    };
  const billing: Storage['billing'] = {
    ...methodsOf(storage.billing),
    atGate: (period, issue, purpose) => storage.billing.atGate(period, working(issue), purpose),
    atGates: (periods, issue, mayGoOn) => storage.billing.atGates(periods, working(issue), mayGoOn),
  };
  const client = undefined as never; // no step here asks Temporal for anything
  return createActivities({ storage: { ...storage, billing }, client, settings, now: () => issuedAt });
}

const methodsOf = (billing: Storage['billing']): Storage['billing'] => ({
  atGate: (...parameters) => billing.atGate(...parameters),
  atGates: (...parameters) => billing.atGates(...parameters),
  findInvoice: (...parameters) => billing.findInvoice(...parameters),
  lifeOf: (...parameters) => billing.lifeOf(...parameters),
  listInvoices: (...parameters) => billing.listInvoices(...parameters),
  findCharge: (...parameters) => billing.findCharge(...parameters),
  standingOf: (...parameters) => billing.standingOf(...parameters),
  chargeEvents: (...parameters) => billing.chargeEvents(...parameters),
  openingLevel: (...parameters) => billing.openingLevel(...parameters),
  decidingEvent: (...parameters) => billing.decidingEvent(...parameters),
  openingEvents: (...parameters) => billing.openingEvents(...parameters),
  carriedTo: (...parameters) => billing.carriedTo(...parameters),
  linesOfCharge: (...parameters) => billing.linesOfCharge(...parameters),
});

describe('an event that commits', () => {
  test('between window cutoff and gate is on the invoice', async () => {
    const books = await scene.newCustomer();
    await books.append(call('a'));
    await books.closeWindows(january);
    await books.append(call('b', 1));
    await books.gate(january);
    expect(await totals(books)).toEqual(['0.4']);
    await expectSettled(books);
  });

  test('after the window cutoff was asked for, having drawn its position before, is in the window', async () => {
    const books = await scene.newCustomer();
    await books.draw('slow', call('a'));
    const closing = books.closeWindows(january);
    await scene.watch.endOrStandstill(closing);
    await books.commit('slow');
    await closing;
    const [period] = books.periods;
    expect(await scene.storage.periods.openWindows(period ?? fail())).toEqual([]);
    await expectSettled(books);
  });

  test('between gate and issue is corrected, not lost and not invoiced twice', async () => {
    const books = await scene.newCustomer();
    await books.append(call('a'));
    const activities = withinGate(() => books.append(call('b', 1)));
    const request = { requestId: crypto.randomUUID(), customerId: books.customerId, period: january };
    await scene.storage.periods.requestInvoicing({ ...request, billingDay: january, forced: false, reason: null });
    await scene.fixture.run(activities.issueChunk, { billingDay: january, limit: 10 });
    expect(await totals(books)).toEqual(['0.2']);
    await books.gate(january); // finds it invoiced
    await expectSettled(books);
    expect(await totals(books)).toEqual(['0.2', '0.2']);
  });

  test('between comparison and correction waits for the next correction', async () => {
    const books = await scene.newCustomer();
    await books.append(call('a'));
    await books.gate(january);
    await books.append(call('b', 1));
    await books.compare(january);
    await books.append(call('c', 2), call('d', 3));
    await books.correct(january);
    expect(await totals(books)).toEqual(['0.2', '0.2']);
    await expectSettled(books);
    expect(await totals(books)).toEqual(['0.2', '0.2', '0.38']);
  });
});

describe('relays', () => {
  test('a zombie that waits for its horizon when another takes over plans nothing', async () => {
    const books = await scene.newCustomer();
    await books.draw('slow', call('a'));
    const { epoch } = await others.relay.acquire(group);
    const zombie = others.relay.plan(group, epoch).then(
      () => 'planned',
      (error: unknown) => error,
    );
    await scene.watch.endOrStandstill(zombie);
    await scene.takeOver();
    await books.commit('slow');
    expect(await zombie).toBeInstanceOf(RelayFenced);
    await scene.plan();
    await expectSettled(books);
  });

  test('a zombie that plans when another takes over has planned before it, or not at all', async () => {
    const books = await scene.newCustomer();
    for (let round = 0; round < 10; round += 1) {
      await books.append(call(`e${round}`, round));
      const { epoch } = await others.relay.acquire(group);
      const [planned] = await Promise.allSettled([others.relay.plan(group, epoch), scene.takeOver()]);
      if (planned.status === 'rejected') expect(planned.reason).toBeInstanceOf(RelayFenced);
      await expect(others.relay.plan(group, epoch)).rejects.toBeInstanceOf(RelayFenced);
      await scene.plan();
    }
    await expectSettled(books);
  });

  test('several that plan at once, of one epoch, plan every fact once', async () => {
    const books = await scene.newCustomer();
    for (let round = 0; round < 10; round += 1) {
      const planning = [scene.plan(), scene.plan(others), scene.plan(), scene.plan(others)];
      await Promise.all([books.append(call(`e${round}`, round)), ...planning]);
    }
    await expectSettled(books);
  });

  test('one that another of its epoch has overtaken does not move the cursor back', async () => {
    const books = await scene.newCustomer();
    await books.append({ ...call('march'), time: '2024-03-10T10:00:00Z' });
    const db = openDatabase(scene.fixture.url);
    // Its horizon is read, its period is missing; while it makes one, the other plans that and one event more.
    const overtaken = createRelayStore(db, {
      periodAt: async (customerId, at) => {
        const period = await scene.storage.periods.periodAt(customerId, at);
        await books.append(call('a'));
        await scene.plan();
        return period;
      },
    });
    const horizon = BigInt(await scene.storage.ledger.safeHorizon());
    const { position, facts } = await overtaken.plan(group, await scene.takeOver());
    expect({ moved: BigInt(position) > horizon, facts }).toEqual({ moved: true, facts: 0 });
    expect(await scene.storage.relay.lag(group)).toMatchObject({ facts: 0 });
    expect((await scene.deliver()).map(({ eventCount }) => eventCount)).toEqual([1, 1]);
    await db.close();
    await expectSettled(books);
  });

  test('two relays and three workers at once: each step is done once', async () => {
    const books = await scene.newCustomer();
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([
        books.append(call(`e${round}`, round)),
        scene.plan(),
        scene.plan(others),
        ...[1, 2, 3].map(() => books.closeWindows(january)),
        ...[1, 2, 3].map(() => (round > 1 ? books.gate(january) : books.closeWindows(january))),
      ]);
    }
    await Promise.all([1, 2, 3].map(() => books.compare(january)));
    await expectSettled(books);
    const documents = await books.documents(books.periods[0] ?? fail());
    expect(documents.filter(({ type }) => type === 'invoice')).toHaveLength(1);
  });
});

function fail(): never {
  throw new Error('a customer has a period');
}
