/** What an operator asks: which periods have still to be invoiced, and why; as a list and as metrics. */
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { registerOperationMetrics } from '../../src/api/plugins/operation-metrics.js';
import { remembering } from '../../src/api/plugins/remembering.js';
import { holdingCodes } from '../../src/domain/invoicing/waiting.js';
import type { LocalDate } from '../../src/domain/values.js';
import type { InvoicingOutcome } from '../../src/storage/types.js';
import { exampleCustomer, exampleOfEachTest } from './support/test-api.js';

const api = exampleOfEachTest();

const day = (text: string): LocalDate => text as LocalDate;
let requests = 0;

async function period(customerId: string, name: string): Promise<void> {
  await api.expect(201, 'PUT', `/customers/${customerId}`, { ...exampleCustomer, billing_from: name });
  await api.storage.periods.periodNamed(customerId, day(name));
}

async function ask(customerId: string, name: string, outcome: InvoicingOutcome | null): Promise<void> {
  const requestId = `00000000-0000-4000-8000-${String((requests += 1)).padStart(12, '0')}`;
  const request = {
    requestId,
    customerId,
    period: day(name),
    billingDay: day('2024-06-01'),
    forced: false,
    reason: null,
  };
  await api.storage.periods.requestInvoicing(request);
  if (outcome !== null) await api.storage.periods.recordOutcome(requestId, outcome, null);
}

const listed = async (query: string): Promise<readonly string[]> =>
  (await api.all(`/billing-periods?${query}`)).map((row) => `${String(row['customer_id'])} ${String(row['period'])}`);

test('periods of all customers by the stage at which they wait, the oldest first, page by page', async () => {
  await period('late', '2024-03-01');
  await period('early', '2024-02-01');
  await period('handed', '2024-02-01');
  await ask('handed', '2024-02-01', null);
  await period('stuck', '2024-02-01');
  await ask('stuck', '2024-02-01', 'held');
  await period('empty', '2024-02-01');
  await ask('empty', '2024-02-01', 'skipped');
  const closing = await listed('stage=closing');
  expect(closing.filter((one) => /^(early|late) /.test(one))).toEqual(['early 2024-02-01', 'late 2024-03-01']);
  expect(closing.filter((one) => /^(handed|stuck|empty) /.test(one))).toEqual([]);
  expect(await listed('stage=ready')).toEqual(['handed 2024-02-01']);
  expect(await listed('stage=held')).toEqual(['stuck 2024-02-01']);
  expect(await listed('stage=void')).toEqual([]);
  expect(await listed('stage=closing&customer_id=late')).toEqual(['late 2024-03-01']);
  expect(await listed('stage=closing&limit=1')).toEqual(closing);
  await api.refused('VALIDATION_FAILED', 422, 'GET', '/billing-periods');
  await api.refused('VALIDATION_FAILED', 422, 'GET', '/billing-periods?stage=late');
  await api.refused('UNKNOWN_CUSTOMER', 404, 'GET', '/billing-periods?stage=held&customer_id=nobody');
});

test('a stored invoice ends the waiting, and its being voided begins it again', async () => {
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
  expect(await listed('customer_id=cust_1&stage=closing')).not.toContain('cust_1 2024-01-01');
  const [invoice] = await api.all('/invoices?customer_id=cust_1');
  await api.expect(200, 'POST', `/invoices/${String(invoice?.['invoice_id'])}/void`, { reason: 'of a test' });
  expect(await listed('customer_id=cust_1&stage=void')).toEqual(['cust_1 2024-01-01']);
});

test('a held period names the open findings that hold it, a closing one the backfill that covers it', async () => {
  await period('stuck', '2024-02-01');
  await ask('stuck', '2024-02-01', 'held');
  const subject = { customer_id: 'stuck', period: '2024-02-01', meter: 'm' };
  const finding = { customerId: 'stuck', period: day('2024-02-01'), subject, detail: 'No price.' };
  const id = await api.storage.findings.store({ ...finding, code: 'UNPRICED_METER' });
  await api.storage.findings.store({ ...finding, code: 'LATE_USAGE' });
  await api.storage.findings.store({ ...finding, code: 'TOO_MANY_GROUPS', period: day('2024-03-01') });
  const waitsFor = async (path: string): Promise<unknown> => (await api.expect(200, 'GET', path))['waits_for'];
  const held = '/billing-periods/stuck/2024-02';
  expect(await waitsFor(held)).toEqual([{ code: 'UNPRICED_METER', detail: 'No price.', id, due_at: null }]);
  await api.expect(200, 'POST', `/findings/${id}/resolve`, { resolution: 'fixed', reason: 'priced' });
  expect(await waitsFor(held)).toEqual([]);

  await period('filled', '2024-02-01');
  expect(await waitsFor('/billing-periods/filled/2024-02')).toEqual([]);
  const backfill = await api.expect(201, 'POST', '/backfills', {
    ...{ customer_ids: ['filled'], from: '2024-02-10T00:00:00Z', to: '2024-02-11T00:00:00Z', mode: 'add' },
  });
  expect(await waitsFor('/billing-periods/filled/2024-02')).toMatchObject([
    { code: 'BACKFILL_OPEN', id: backfill['backfill_id'], detail: expect.stringContaining('2024-02-10T00:00:00') },
  ]);
});

test('metrics count them by stage, open findings by code, and what the relay has before it', async () => {
  await period('stuck', '2024-02-01');
  await ask('stuck', '2024-02-01', 'held');
  const finding = { customerId: 'stuck', period: day('2024-02-01'), subject: { a: 1 }, detail: 'd' };
  const id = await api.storage.findings.store({ ...finding, code: 'UNPRICED_METER' });
  await api.storage.findings.store({ ...finding, code: 'SOMETHING_NEW' });
  await api.storage.findings.store({ ...finding, code: 'UNPRICED_METER', subject: { a: 2 } });
  await api.expect(200, 'POST', `/findings/${id}/resolve`, { resolution: 'accepted', reason: 'r' });
  const { body } = await api.send('GET', '/metrics');
  expect(body).toMatch(/^reckoner_findings_open\{code="UNPRICED_METER"\} 1$/m);
  expect(body).toMatch(/^reckoner_findings_open\{code="SOMETHING_NEW"\} 1$/m);
  expect(body).toMatch(/^reckoner_findings_open\{code="NEGATIVE_TOTAL"\} 0$/m);
  expect(body).toMatch(/^reckoner_periods_waiting\{stage="held"\} 1$/m);
  expect(body).toMatch(/^reckoner_periods_waiting\{stage="void"\} 0$/m);
  expect(body).toMatch(/^reckoner_periods_waiting_oldest_seconds\{stage="held"\} \d+/m);
  expect(body).toMatch(/^reckoner_periods_waiting_oldest_seconds\{stage="void"\} 0$/m);
  expect(body).toMatch(/^reckoner_relay_lag_positions \d+$/m);
  expect(body).toMatch(/^reckoner_relay_undelivered_oldest_seconds 0$/m);
});

test('of a database that is away nothing is known, and it is asked once, however slow it is', async () => {
  const registry = new Registry();
  let asked = 0;
  const away = () => {
    asked += 1;
    return Promise.reject(new Error('away'));
  };
  const storage = { findings: { openByCode: away }, periods: { waiting: away }, relay: { lag: away } };
  registerOperationMetrics(registry, { storage, clock: () => 0 });
  const text = await registry.metrics();
  await registry.metrics();
  expect(asked).toBe(3);
  for (const name of ['periods_waiting{stage="held"}', 'findings_open{code="INVOICE_HELD"}', 'relay_lag_positions'])
    expect(text).toContain(`reckoner_${name} Nan\n`);
});

test('a database that has not answered yet is not asked again', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  try {
    let asked = 0;
    let answer: (value: number) => void = () => undefined;
    const ask = remembering(() => {
      asked += 1;
      return new Promise<number>((resolve) => (answer = resolve));
    });
    const first = ask();
    jest.advanceTimersByTime(60_000);
    const second = ask();
    expect(asked).toBe(1);
    answer(7);
    expect([await first, await second]).toEqual([7, 7]);
    const third = ask();
    expect(asked).toBe(2);
    answer(8);
    expect(await third).toBe(8);
    jest.advanceTimersByTime(9_000);
    expect([await ask(), asked]).toEqual([8, 2]);
  } finally {
    jest.useRealTimers();
  }
});

test('the codes that hold an invoice are those of which OPERATE says so', () => {
  const text = readFileSync('docs/guides/OPERATE.md', 'utf8');
  const table = text.slice(text.indexOf('\n## Findings'), text.indexOf('\n## Audit log'));
  const holding = [...table.matchAll(/^\| (`[^|]*`) \| (yes|the invoice)[^|]*\|/gm)].flatMap(([, codes = '']) =>
    [...codes.matchAll(/`(\w+)`/g)].map(([, code = '']) => code),
  );
  expect(holding.sort()).toEqual([...holdingCodes].sort());
});
