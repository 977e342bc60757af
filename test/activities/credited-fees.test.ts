/** Credit notes on fees in advance: what they take is not recognised, and the period reconciles all along (RULES 45, 49). */
import { randomUUID } from 'node:crypto';
import { issueCreditNote } from '../../src/billing/settlement/credit-notes.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { DecimalString } from '../../src/domain/values.js';
import { at, FeeScene, inShort } from './fee-scene.js';
import { january } from './fixture.js';

let scene: FeeScene;
beforeEach(async () => {
  scene = await FeeScene.create();
});
afterEach(() => scene.fixture.close());

const credited = at('2024-02-10T10:00:00');
const beforeMonthEnd = at('2024-02-29T23:00:00');
const marchSweep = at('2024-03-01T03:20:00');

const documents = async (): Promise<readonly Invoice[]> =>
  (await scene.fixture.storage.billing.listInvoices({ customerId: 'acme', period: january }, { limit: 10 })).data;
const feeOf = ({ lines }: Invoice): string =>
  lines.find(({ meter }) => meter === null)?.lineItemId ?? 'an invoice without a fee';
const original = async (): Promise<Invoice> => {
  const found = (await documents()).find(({ correctsInvoiceId }) => correctsInvoiceId === null);
  if (found === undefined) throw new Error('not invoiced');
  return found;
};

/** @param amount null: all that is left of the fee */
async function credit(amount: string | null, lineItemId?: string): Promise<void> {
  const invoice = await original();
  await issueCreditNote(scene.fixture.storage, invoice, {
    ...{ creditNoteId: randomUUID(), actor: 'ann', now: credited, reason: null },
    lines: [
      {
        ...{ lineItemId: lineItemId ?? feeOf(invoice), amount: amount as DecimalString | null },
        ...{ reasonCode: 'goodwill', reason: null },
      },
    ],
  });
}

/** Documents and journal agree, and so does what is recognised of each line. */
async function expectReconciled(): Promise<void> {
  const { result, report } = await scene.reconcile();
  expect([result, report.differences]).toEqual(['equal', []]);
  for (const document of await documents()) {
    const { verified, journal } = await verifyInvoice(scene.fixture.storage, document);
    expect([document.number, verified, journal.differences]).toEqual([document.number, true, []]);
  }
}

/** By account, those of 0 left out. */
async function booked(): Promise<Readonly<Record<string, number>>> {
  return Object.fromEntries(Object.entries(await scene.balances()).filter(([, balance]) => balance !== 0));
}

const recognitions = async (): Promise<unknown> =>
  inShort((await scene.entriesOf()).filter(({ sourceDocument }) => sourceDocument.startsWith('recognition/')));

test('of a fee that is credited in part before its month is over, the rest is recognised', async () => {
  await scene.invoiced();
  await credit('12.50');
  expect(await booked()).toEqual({ accounts_receivable: 18.5, deferred_revenue: -17.5, revenue: -1 });
  await scene.sweepOn(beforeMonthEnd);
  await expectReconciled();
  await scene.sweepOn(marchSweep);
  await scene.sweepOn(at('2024-03-02T03:20:00'));
  expect(await recognitions()).toEqual([
    ['recognition', '2024-02-29', ['deferred_revenue 17.5 Platform fee', 'revenue -17.5 Platform fee']],
  ]);
  expect(await booked()).toEqual({ accounts_receivable: 18.5, revenue: -18.5 });
  await expectReconciled();
});

test('of a fee that was recognised, the credited part is taken back from its month', async () => {
  await scene.invoiced();
  await scene.sweepOn(marchSweep);
  await credit('10.00');
  await expectReconciled();
  await credit(null);
  await scene.sweepOn(at('2024-03-02T03:20:00'));
  expect(await recognitions()).toEqual([
    ['recognition', '2024-02-29', ['deferred_revenue 30 Platform fee', 'revenue -30 Platform fee']],
    ['recognition', '2024-02-29', ['deferred_revenue -30 Platform fee', 'revenue 30 Platform fee']],
  ]);
  expect(await booked()).toEqual({ accounts_receivable: 1, revenue: -1 });
  await expectReconciled();
});

test.each([
  ['before it is recognised', false],
  ['after it was recognised', true],
])('a fee that a correction has raised is credited line item by line item, %s', async (_when, isRecognised) => {
  await scene.invoiced();
  await scene.correctFee('v2', '40.00');
  if (isRecognised) await scene.sweepOn(marchSweep);
  // On the original's line item, which alone came to 30.00.
  await credit('35.00');
  await scene.sweepOn(at('2024-03-02T03:20:00'));
  await expectReconciled();
  await credit(null);
  await scene.sweepOn(at('2024-03-03T03:20:00'));
  await expectReconciled();
  expect(await booked()).toEqual({ accounts_receivable: 1, revenue: -1 });
  const notes = (await scene.entriesOf()).filter(({ sourceDocument }) => sourceDocument.startsWith('credit-note/'));
  expect(inShort(notes)).toEqual([
    [
      'credit-note',
      '2024-02-10',
      ['deferred_revenue 30 Platform fee', 'deferred_revenue 5 Platform fee', 'accounts_receivable -35'],
    ],
    ['credit-note', '2024-02-10', ['deferred_revenue 5 Platform fee', 'accounts_receivable -5']],
  ]);
  // What is corrected later goes on from there.
  await scene.correctFee('v3', '44.00');
  await scene.sweepOn(at('2024-03-04T03:20:00'));
  expect(await booked()).toEqual({ accounts_receivable: 5, revenue: -5 });
  await expectReconciled();
});

test('the line item that is named gives first, and a correction that lowers a fee gives nothing', async () => {
  await scene.invoiced();
  await scene.correctFee('v2', '40.00');
  const raise = (await documents()).find(({ total }) => total === '10');
  if (raise === undefined) throw new Error('not corrected');
  await credit('12.00', feeOf(raise));
  await scene.correctFee('v3', '20.00');
  await credit('8.00', feeOf(raise));
  const ofLines = (await scene.entriesOf())
    .filter(({ sourceDocument }) => sourceDocument.startsWith('credit-note/'))
    .flatMap(({ postings }) => postings.filter(({ lineItemId }) => lineItemId !== null))
    .map(({ lineItemId, amount }) => [lineItemId === feeOf(raise) ? 'the raise' : 'the original', amount]);
  expect(ofLines).toEqual([
    ['the raise', '10'],
    ['the original', '2'],
    ['the original', '8'],
  ]);
  await scene.sweepOn(marchSweep);
  expect(await booked()).toEqual({ accounts_receivable: 1, revenue: -1 });
  await expectReconciled();
});

test.each([
  ['before it is recognised', null],
  ['after it was recognised', marchSweep],
])('a void takes a credited fee back with its note, %s', async (_when, sweep) => {
  await scene.invoiced();
  await scene.correctFee('v2', '40.00');
  await credit('33.00');
  if (sweep !== null) await scene.sweepOn(sweep);
  await voidInvoice(scene.fixture.storage, await original(), {
    ...{ actor: 'ann', reason: 'wrong', now: at('2024-03-05T10:00:00') },
  });
  expect(await booked()).toEqual({});
  await scene.sweepOn(at('2024-04-01T03:20:00'));
  expect(await booked()).toEqual({});
  for (const document of await documents())
    expect((await verifyInvoice(scene.fixture.storage, document)).journal.differences).toEqual([]);
  const billed = (await scene.entriesOf()).flatMap(({ postings }) => postings);
  for (const lineItemId of new Set(billed.map((posting) => posting.lineItemId))) {
    const own = billed.filter((posting) => posting.lineItemId === lineItemId);
    expect(own.reduce((sum, { amount }) => sum + Number(amount), 0)).toBe(0);
  }
});

test('a period with a credited fee is re-rated again, and no sweep finds a difference', async () => {
  const { fixture } = scene;
  await scene.invoiced();
  await scene.correctFee('v2', '40.00');
  await credit(null);
  await scene.sweepOn(marchSweep);
  await scene.correctFee('v3', '50.00');
  expect((await documents()).map(({ total }) => total).sort()).toEqual(['10', '10', '31']);
  const found = await fixture.storage.findings.list({ code: 'RECONCILIATION_DIFFERENCE' }, { limit: 10 });
  expect(found.data).toEqual([]);
});
