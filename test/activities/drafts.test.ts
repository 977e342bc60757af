/** Drafts that are due: woken by a run of their own, found by the sweep, issued once. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { createActivities } from '../../src/activities/index.js';
import type { Activities } from '../../src/activities/index.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createActivityFixture, january, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
});
afterEach(() => fixture.close());

interface Asked {
  readonly workflowId: string;
  readonly startDelay?: number;
}

/** Activities at a time of their own, whose client notes what it is asked for. */
function activitiesAt(now: string, asked: Asked[], away = false): Activities {
  const note = (_type: string, { workflowId, startDelay }: Asked): Promise<object> => {
    asked.push({ workflowId, ...(startDelay !== undefined && { startDelay }) });
    return away ? Promise.reject(new Error('Temporal is away')) : Promise.resolve({});
  };
  const client = { workflow: { start: note, signalWithStart: note } } as unknown as Client;
  return createActivities({ storage: fixture.storage, client, settings, now: () => now as Instant });
}

const issue = async (activities: Activities, billingDay: string) =>
  fixture.run(activities.issueChunk, { billingDay: billingDay as LocalDate, limit: 10 });

test.each([false, true])('a grace that has passed; Temporal away when it began: %s', async (away) => {
  const { storage, run } = fixture;
  await fixture.addCustomer('acme', { gracePeriod: 'P2D' });
  await fixture.addCalls('acme', 10);
  await fixture.request('acme', randomUUID());
  const asked: Asked[] = [];
  const kept = await issue(activitiesAt('2024-02-01T01:00:00.000000Z', asked, away), '2024-02-01');
  expect(kept).toMatchObject({ held: 1, issued: 0 });
  // One run a minute for all that are due then.
  expect(asked).toEqual([{ workflowId: 'invoicing/2024-02-03/grace/01:01', startDelay: 2 * 86_400_000 + 60_000 }]);

  const before: Asked[] = [];
  await run(activitiesAt('2024-02-03T00:59:59.999999Z', before).sweepPeriods);
  expect(before.filter(({ workflowId }) => workflowId.startsWith('invoicing/'))).toEqual([]);
  const due: Asked[] = [];
  const later = activitiesAt('2024-02-03T01:00:00.000000Z', due);
  await run(later.sweepPeriods);
  const woken = due.filter(({ workflowId }) => workflowId.startsWith('invoicing/'));
  expect(woken).toEqual([{ workflowId: 'invoicing/2024-02-03' }]);
  await run(later.sweepPeriods);
  const results = await Promise.all([issue(later, '2024-02-03'), issue(later, '2024-02-03')]);
  expect(results.map(({ issued }) => issued).sort()).toContain(1);
  const { data } = await storage.billing.listInvoices({ customerId: 'acme', period: january }, { limit: 5 });
  expect(data).toMatchObject([{ status: 'issued', total: '1' }]);
  expect((await storage.drafts.list({ status: 'draft' }, { limit: 5 })).data).toEqual([]);
});
