/**
 * Order does not matter (DESIGN 2, invariant 3): any permutation, duplication or splitting of the same events gives the same
 * invoice, byte by byte, but for its number, ledger positions and clock instants.
 *
 * SEED=… repeats a run.
 */
import { permutationsOf, randomFrom } from './support/random-order.js';
import { deliver, documentText, meteredEvents } from './support/small-order.js';
import type { Delivery } from './support/small-order.js';
import { billInOrder, billThereAndBack, facts } from './support/large-order.js';

const seed = Number(process.env['SEED'] ?? 20_240_131);

describe('a small set, in memory', () => {
  const call = { type: 'call', status: 'ok' } as const;
  const transfer = { type: 'transfer', asNumber: true } as const;
  /** Two meters, two groups, one event that comes twice (2.5, then 2.50), one that is amended: into another hour, group and price. */
  const deliveries: readonly Delivery[] = [
    { id: 'a', content: { ...call, time: '2024-01-10T08:00:00.000000Z' } },
    { id: 'b', content: { ...call, time: '2024-01-20T11:59:59.999999Z' } },
    { id: 'c', content: { ...transfer, time: '2024-01-10T08:59:59.999999Z', bytes: '2.5', region: 'eu' } },
    { id: 'd', content: { ...transfer, time: '2024-01-10T09:00:00.000000Z', bytes: '0.125', region: 'us' } },
    {
      id: 'c',
      content: { ...transfer, time: '2024-01-10T08:59:59.999999Z', bytes: '2.50', region: 'eu' },
    },
    {
      id: 'd',
      isAmendment: true,
      content: { ...transfer, time: '2024-01-20T12:00:00.000000Z', bytes: '3.005', region: 'eu' },
    },
  ];

  test('all 720 orders, each also split in two at every place, give one document', () => {
    const texts = new Set<string>();
    let orders = 0;
    for (const order of permutationsOf(deliveries)) {
      orders += 1;
      const events = meteredEvents(deliver(order));
      for (let at = 0; at <= events.length; at += 1) texts.add(documentText([events.slice(0, at), events.slice(at)]));
    }
    expect(orders).toBe(720);
    expect([...texts]).toHaveLength(1);
    const [text = ''] = texts;
    // 2 calls; 5.505 bytes of the group eu in two prices; none of us.
    const { lines } = JSON.parse(text) as { lines: readonly { quantity: string }[] };
    expect(lines.map(({ quantity }) => quantity)).toEqual(['5.505', '2']);
  });

  test('the text tells documents apart: without one of the events it is another one', () => {
    const texts = deliveries.map((left) => {
      const others = deliveries.filter((delivery) => delivery !== left);
      return documentText([meteredEvents(deliver(others))]);
    });
    const [complete] = [documentText([meteredEvents(deliver(deliveries))])];
    // Either copy of the event that comes twice may be missing.
    expect(texts.map((text) => text === complete)).toEqual([false, false, true, false, true, false]);
  });
});

describe('2,000 events, on Postgres', () => {
  test('25 orders, batches, repeats, concurrent senders and moments of closing: one document, one hash', async () => {
    const documents = new Set<string>();
    const kept = new Set<string>();
    for (let order = 1; order <= 25; order += 1) {
      const billed = await billInOrder(randomFrom(seed + order));
      documents.add(billed.text);
      kept.add(billed.marks);
      if (documents.size > 1)
        throw new Error(`order ${order} of SEED=${seed} gives another document:\n${[...documents].join('\n')}`);
    }
    expect(documents.size).toBe(1);
    // The events lie in the ledger otherwise, or the orders were none.
    expect(kept.size).toBe(25);
    const [text = ''] = documents;
    expect(text).toContain('"document_hash":"');
    expect(facts.events).toHaveLength(2_000);
  }, 600_000);
});

test('closings with provisional ratings leave no trace, also where the same usage comes back', async () => {
  // An event comes and is void again: with or without a rating in between, the invoice is the one of three calls.
  const [rated, unrated] = [await billThereAndBack(true), await billThereAndBack(false)];
  expect(JSON.parse(rated)).toMatchObject({ total: '0.3' });
  expect(rated).toBe(unrated);
});
