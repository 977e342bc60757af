/** Findings: stored once, found by what they are about, decided once. */
import { randomUUID } from 'node:crypto';
import type { LocalDate } from '../../src/domain/values.js';
import { createFindingStore } from '../../src/storage/findings.js';
import type { FindingStore, NewFinding } from '../../src/storage/types.js';
import { createFixture, type Fixture } from './usage-fixture.js';

let fixture: Fixture;
let findings: FindingStore;
beforeAll(async () => {
  fixture = await createFixture();
  findings = createFindingStore(fixture.db);
});
afterAll(() => fixture.close());

const january = '2024-01-01' as LocalDate;
const all = { limit: 10 };
const finding = (customerId: string, more: Partial<NewFinding> = {}): NewFinding => ({
  code: 'RECONCILIATION_DIFFERENCE',
  customerId,
  period: january,
  subject: { customer_id: customerId, stage: 'events→aggregates', expected: { count: 2 } },
  detail: 'One event is missing.',
  class: 'missing',
  ...more,
});

test('the same finding is stored once, with its class', async () => {
  const id = await findings.store(finding('a'));
  expect(await findings.store(finding('a', { detail: 'In other words.' }))).toBe(id);
  expect(await findings.find(id)).toMatchObject({ ...finding('a'), findingId: id, resolution: null });
  expect((await findings.list({ customerId: 'a' }, all)).data).toHaveLength(1);
  for (const nobody of [randomUUID(), 'nothing', '']) expect(await findings.find(nobody)).toBeNull();
});

test('lists by class and by whether somebody has decided', async () => {
  const missing = await findings.store(finding('b'));
  const large = await findings.store(finding('b', { subject: { n: 2 }, class: 'large_gap' }));
  const late = await findings.store(finding('b', { code: 'LATE_USAGE', subject: { n: 3 }, class: null }));
  const idsOf = async (filter: Parameters<FindingStore['list']>[0]) =>
    (await findings.list({ customerId: 'b', ...filter }, all)).data.map(({ findingId }) => findingId);
  expect(await idsOf({})).toEqual([late, large, missing]);
  expect(await idsOf({ class: 'large_gap' })).toEqual([large]);
  expect(await idsOf({ code: 'LATE_USAGE' })).toEqual([late]);
  await findings.resolve(large, { resolution: 'accepted', reason: 'known', resolvedBy: 'ann' });
  expect(await idsOf({ resolved: true })).toEqual([large]);
  expect(await idsOf({ resolved: false })).toEqual([late, missing]);
  expect(await idsOf({ resolved: false, class: 'missing' })).toEqual([missing]);
});

test('the first decision stands', async () => {
  const id = await findings.store(finding('c'));
  const first = { resolution: 'fixed', reason: 'corrected', resolvedBy: 'ann' } as const;
  expect(await findings.resolve(id, first)).toEqual({ stored: true });
  expect(await findings.resolve(id, { ...first, resolution: 'not_a_problem', resolvedBy: 'bob' })).toEqual({
    stored: false,
  });
  expect((await findings.find(id))?.resolution).toEqual({ ...first, resolvedAt: expect.any(String) });
  for (const nobody of [randomUUID(), 'nothing']) {
    await expect(findings.resolve(nobody, first)).rejects.toMatchObject({ code: 'FINDING_NOT_FOUND' });
  }
});

test('what was fixed and is found again is open again; what was accepted stays accepted', async () => {
  const found = { code: 'AGAIN', customerId: null, period: null, subject: { thing: 'again' }, detail: 'it is back' };
  const decide = (id: string, resolution: 'fixed' | 'accepted') =>
    findings.resolve(id, { resolution, reason: 'r', resolvedBy: 'ann' });
  const first = await findings.store(found);
  expect(await findings.store(found)).toBe(first);
  await decide(first, 'fixed');
  const second = await findings.store(found);
  expect(second).not.toBe(first);
  expect((await findings.find(second))?.resolution).toBeNull();
  await decide(second, 'accepted');
  expect(await findings.store(found)).toBe(second);
});
