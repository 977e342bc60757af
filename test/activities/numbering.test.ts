/** Numbers by legal entity and type of document, from real documents. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { documentHash } from '../../src/billing/document-hash.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { createActivityFixture, issuedAt, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture } from './re-rating-fixture.js';

let fixture: ActivityFixture;
let books: ReRatingFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
  books = new ReRatingFixture(fixture);
});
afterEach(() => fixture.close());

const register = (code: string, numberPrefix: string, name = `${code} GmbH`) =>
  fixture.storage.numbering.putEntity({ code, numberPrefix, seller: { name, tax_id: 'DE1' } }, 'ann');

async function numbersOf(customerId: string): Promise<readonly unknown[]> {
  return (await books.documents(customerId)).map(({ number, legalEntity, seller }) => [
    number,
    legalEntity,
    seller.name,
  ]);
}

const holds = async (): Promise<boolean> =>
  (await fixture.storage.numbering.checkNumbers()).every((series) => series.holds);

/** As superuser with the triggers off: what nobody else can do. */
async function tamper(sql: string): Promise<void> {
  const client = new pg.Client(fixture.url);
  await client.connect();
  try {
    await client.query(`SET session_replication_role = replica; ALTER TABLE invoices DISABLE TRIGGER ALL; ${sql}`);
  } finally {
    await client.end();
  }
}

test('invoices, corrections and credit notes have series of their own, and each legal entity has', async () => {
  await register('acme-de', 'ACME-DE');
  const ours = await books.invoicedCustomer(10);
  const theirs = await books.invoicedCustomer(10, { legalEntity: 'acme-de' });
  for (const customer of [ours, theirs]) {
    await fixture.addCalls(customer, 3, '2024-01-12T00:00:00Z');
    await books.reRate(customer);
    await fixture.storage.adjustments.adjust({
      ...{ customerId: customer, source: '', eventId: '2024-01-12T00:00:00Z/0' },
      ...{ type: 'void', replacement: null, reason: null },
    });
    await books.reRate(customer, { reason: 'usage_correction' });
  }
  expect(await numbersOf(ours)).toEqual([
    ['INV-000001', undefined, settings.seller.name],
    ['COR-000001', undefined, settings.seller.name],
    ['CN-000001', undefined, settings.seller.name],
  ]);
  expect(await numbersOf(theirs)).toEqual([
    ['ACME-DE-INV-000001', 'acme-de', 'acme-de GmbH'],
    ['ACME-DE-COR-000001', 'acme-de', 'acme-de GmbH'],
    ['ACME-DE-CN-000001', 'acme-de', 'acme-de GmbH'],
  ]);
  expect(await holds()).toBe(true);
  for (const customer of [ours, theirs]) {
    for (const document of await books.documents(customer)) {
      expect(document.documentHash).toBe(documentHash(document));
      expect(await verifyInvoice(fixture.storage, document)).toMatchObject({ verified: true });
    }
  }
});

test('a chain stays with whoever issued its first document when the customer moves; a replacement begins anew', async () => {
  await register('acme-de', 'ACME-DE');
  const customer = await books.invoicedCustomer(10);
  await fixture.addCustomer(customer, { legalEntity: 'acme-de' });
  await fixture.addCalls(customer, 3, '2024-01-12T00:00:00Z');
  await books.reRate(customer);
  const [original] = await books.documents(customer);
  if (original === undefined) throw new Error('no invoice');
  await voidInvoice(fixture.storage, original, { actor: 'ann', reason: 'wrong company', now: issuedAt });
  await books.invoice(customer);
  expect((await numbersOf(customer)).map((each) => (each as readonly unknown[])[0])).toEqual([
    'INV-000001',
    'COR-000001',
    'ACME-DE-INV-000001',
  ]);
  expect(await holds()).toBe(true);
});

test('the legal entity is part of the hash where it is not the default one', async () => {
  await register('acme-de', 'ACME-DE');
  const [ours, theirs] = [await books.invoicedCustomer(1), await books.invoicedCustomer(1, { legalEntity: 'acme-de' })];
  for (const [customer, counts] of [
    [ours, false],
    [theirs, true],
  ] as const) {
    const [document] = await books.documents(customer);
    if (document === undefined) throw new Error('no invoice');
    const { legalEntity: _, ...without } = document;
    expect(documentHash(without) !== document.documentHash).toBe(counts);
  }
});

describe('a legal entity', () => {
  test('is another version with each change; the same again is not', async () => {
    const first = await register('acme-de', 'ACME-DE');
    expect(first).toMatchObject({ appended: true, entity: { version: 1, numberPrefix: 'ACME-DE', definedBy: 'ann' } });
    expect(await register('acme-de', 'ACME-DE')).toEqual({ ...first, appended: false });
    expect(await register('acme-de', 'ACME-DE', 'Another')).toMatchObject({ entity: { version: 2 } });
    expect(await fixture.storage.numbering.entityVersions('acme-de')).toHaveLength(2);
    expect(await fixture.storage.numbering.entities()).toMatchObject([
      { code: 'acme-de', seller: { name: 'Another' } },
    ]);
  });

  test('may change its prefix until a number was drawn, and what it once had is nobody else’s', async () => {
    await register('acme-de', 'ACME');
    await register('acme-de', 'ACME-DE');
    await expect(register('other', 'ACME')).rejects.toMatchObject({ code: 'NUMBER_PREFIX_TAKEN' });
    await books.invoicedCustomer(1, { legalEntity: 'acme-de' });
    await expect(register('acme-de', 'ACME')).rejects.toMatchObject({ code: 'NUMBER_PREFIX_LOCKED' });
    await register('acme-de', 'ACME-DE', 'Another name');
    expect(await fixture.storage.numbering.entityVersions('other')).toEqual([]);
  });

  test('many at once: one prefix goes to one entity, and one code gets versions without a gap', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => register(`entity-${index}`, 'SAME')),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await Promise.all(Array.from({ length: 8 }, (_, index) => register('one', 'ONE', `name ${index}`)));
    expect((await fixture.storage.numbering.entityVersions('one')).map(({ version }) => version)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ]);
  });

  test('its prefix does not change between reading it and drawing the first number', async () => {
    await register('acme-de', 'ACME');
    await fixture.addCustomer('c', { legalEntity: 'acme-de' });
    const period = await fixture.storage.periods.periodAt('c', '2024-01-10T00:00:00.000000Z' as typeof issuedAt);
    let changing: Promise<unknown> = Promise.resolve();
    await fixture.storage.billing.atGate(period, async (gate) => {
      expect(await gate.legalEntity('acme-de')).toMatchObject({ numberPrefix: 'ACME' });
      changing = register('acme-de', 'LATER').catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await gate.drawNumber('acme-de/invoice');
    });
    expect(await changing).toMatchObject({ code: 'NUMBER_PREFIX_LOCKED' });
  });
});

describe('the check', () => {
  const findings = async () =>
    (await fixture.storage.findings.list({ code: 'NUMBER_SERIES_BROKEN' }, { limit: 10 })).data;
  async function reconcile(): Promise<void> {
    const runId = randomUUID();
    const scope = { customerIds: [], from: null, to: null };
    await fixture.storage.reconciliation.request({ runId, workflowId: `test/${runId}`, requestedBy: 'ann', scope });
    await fixture.run(fixture.activities.finishReconciliation, { runId });
  }

  test('finds nothing wrong with what was issued, also by a reconciliation', async () => {
    for (let index = 0; index < 3; index += 1) await books.invoicedCustomer(1);
    await reconcile();
    expect(await findings()).toEqual([]);
    expect(await fixture.storage.numbering.checkNumbers()).toMatchObject([
      { series: 'invoice', documents: 3, lastNumber: 3, holds: true },
    ]);
  });

  test.each([
    [
      'deleted in the middle',
      `DELETE FROM invoices WHERE number = 'INV-000002'`,
      { missing: 1, gaps: [{ from: 2, to: 2 }] },
    ],
    [
      'deleted at the end',
      `DELETE FROM invoices WHERE number = 'INV-000003'`,
      { missing: 1, gaps: [{ from: 3, to: 3 }] },
    ],
    ['all deleted', `DELETE FROM invoices`, { missing: 3, documents: 0, gaps: [{ from: 1, to: 3 }] }],
    [
      'doubled',
      `UPDATE invoices SET number = 'INV-1' WHERE number = 'INV-000003'`,
      { duplicates: [1], gaps: [{ from: 3, to: 3 }] },
    ],
    ['never drawn', `UPDATE invoices SET number = 'INV-000009' WHERE number = 'INV-000003'`, { beyond: 9, missing: 6 }],
    ['unreadable', `UPDATE invoices SET number = 'INV-x' WHERE number = 'INV-000003'`, { duplicates: [0] }],
  ])('names a document that was %s, and a reconciliation stores it once', async (_, sql, found) => {
    for (let index = 0; index < 3; index += 1) await books.invoicedCustomer(1);
    await tamper(sql);
    const checked = await fixture.storage.numbering.checkNumbers();
    expect(checked.find(({ series }) => series === 'invoice')).toMatchObject({ ...found, holds: false });
    await reconcile();
    await reconcile();
    expect(await findings()).toMatchObject([{ subject: { series: 'invoice' }, class: expect.any(String) }]);
  });
});
