/** A chain that moved while its correction's acknowledgement was lost: the next attempt at the activity still says that it moved. */
import { randomUUID } from 'node:crypto';
import { createChainFixture, acme } from '../activities/chain-fixture.js';
import type { ChainFixture } from '../activities/chain-fixture.js';

let fixture: ChainFixture;
beforeAll(async () => {
  fixture = await createChainFixture();
  await fixture.addCalls(acme.customerId, 10);
  await fixture.issue();
});
afterAll(() => fixture.close());

test('a re-rating whose chain moved goes on, also when correcting is tried again after its rows were written', async () => {
  const { activities, run, storage } = fixture;
  const reRatingId = randomUUID();
  const step = { reRatingId, attempt: 1, limit: 10 };
  const scope = { customerIds: [acme.customerId], meters: null, from: null, to: null };
  const asked = {
    reRatingId,
    workflowId: `test/${reRatingId}`,
    reason: 'late_usage',
    scope,
    priceBookId: null,
  } as const;
  await fixture.addCalls(acme.customerId, 1, '2024-01-20T00:00:00Z');
  await storage.reRatings.create({ ...asked, dryRun: false, requestedBy: 'ann' }, [acme]);
  await run(activities.compareReRating, step);

  // Another one settles what it has seen; then one more event comes late, which only its next comparison sees.
  await fixture.reRate('late_usage');
  await fixture.addCalls(acme.customerId, 1, '2024-01-21T00:00:00Z');
  expect(await run(activities.correctReRating, step)).toMatchObject({ moved: 1 });
  expect(await run(activities.correctReRating, step)).toMatchObject({ moved: 1 });

  const next = { ...step, attempt: 2 };
  expect(await run(activities.compareReRating, next)).toMatchObject({ attempt: 2, next: 'correcting' });
  expect(await run(activities.correctReRating, next)).toMatchObject({ corrected: 1, moved: 0 });
  expect(await run(activities.correctReRating, next)).toMatchObject({ corrected: 0, moved: 0 });
  expect((await fixture.documents()).map(({ total }) => total)).toEqual(['1', '0.1', '0.1']);
});
