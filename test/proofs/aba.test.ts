import { randomUUID } from 'node:crypto';
import { createActivityFixture, january } from '../activities/fixture.js';

async function hashOf(closings: boolean): Promise<unknown> {
  const fixture = await createActivityFixture();
  const { activities, run, storage } = fixture;
  const close = async () => {
    if (closings)
      await run(activities.closeWindows, {
        customerId: 'c1', period: january, nowMs: Date.parse('2024-02-01T00:30:00Z'), scope: 'all', windows: [], accumulatedThrough: null, rate: true,
      });
  };
  try {
    await fixture.addCustomer('c1');
    await fixture.addCalls('c1', 3);
    await close();
    await fixture.addCalls('c1', 1, '2024-01-25T00:00:00Z');
    await close();
    await storage.adjustments.adjust({ customerId: 'c1', source: '', eventId: '2024-01-25T00:00:00Z/0', type: 'void', replacement: null, reason: null });
    await fixture.request('c1', randomUUID());
    await run(activities.issueChunk, { billingDay: '2024-02-01' as typeof january, limit: 10 });
    const { data } = await storage.billing.listInvoices({ customerId: 'c1' }, { limit: 10 });
    return [data[0]?.total, data[0]?.documentHash, data[0]?.lines[0]?.chargeIds];
  } finally {
    await fixture.close();
  }
}

test('provisional ratings do not change the document', async () => {
  expect(await hashOf(true)).toEqual(await hashOf(false));
});
