/** Which document a posting of the settlement is about: what an ERP matches open items by. */
import { randomUUID } from 'node:crypto';
import { reverseWriteOff } from '../../src/billing/settlement/write-offs.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { customerId, deciding, SettlementScene } from './settlement-scene.js';

let chain: ChainFixture;
let scene: SettlementScene;
beforeEach(async () => {
  chain = await createChainFixture();
  scene = new SettlementScene(chain);
});
afterEach(() => chain.close());

/** Kind of the entry, account and invoice number of each posting, as they are exported. */
async function exported(): Promise<readonly unknown[]> {
  const { journal } = chain.storage;
  const range = { fromEntry: '0', throughEntry: await journal.horizon() };
  const { postings } = await journal.exported(range, { after: null, entries: 100 });
  return postings.map(({ sourceDocument, account, invoiceNumber }) => [
    sourceDocument.replace(/\/[^/]+$/, ''),
    account,
    invoiceNumber,
  ]);
}

test('credit notes, write-offs, reversals and voids name their invoice in every posting, and its proofs do not see them', async () => {
  const invoice = await scene.invoiced();
  await scene.credit(invoice, '3.00');
  const writeOffId = await scene.writeOff(invoice, '7.00');
  const written = await chain.storage.settlement.findWriteOff(writeOffId);
  if (written === null) throw new Error('not written off');
  await reverseWriteOff(chain.storage, written, { ...deciding, reason: 'paid after all', requestId: randomUUID() });
  expect(await verifyInvoice(chain.storage, invoice)).toMatchObject({ verified: true });
  await voidInvoice(chain.storage, invoice, { ...deciding, reason: 'a mistake' });
  const { number } = invoice;
  expect((await exported()).map(String).sort()).toEqual(
    [
      ...['invoice', 'void', 'credit-note', 'void/credit-note'].flatMap((kind) => [
        [kind, 'accounts_receivable', number],
        [kind, 'revenue', number],
      ]),
      ...['write-off', 'write-off-reversal'].flatMap((kind) => [
        [kind, 'accounts_receivable', number],
        [kind, 'write_off', number],
      ]),
    ]
      .map(String)
      .sort(),
  );
  const entries = await chain.storage.journal.entries({ customerId, invoiceId: invoice.invoiceId }, { limit: 50 });
  expect(entries.data.map(({ sourceDocument }) => sourceDocument.split('/')[0])).toEqual(['invoice', 'void']);
  await scene.expectInStep();
});

test('a write-off of a correction names the correction; a payment and a refund are about no document', async () => {
  const invoice = await scene.invoiced();
  await chain.addCalls(customerId, 50, '2024-01-20T00:00:00Z');
  await chain.reRate('late_usage');
  const correction = (await chain.documents()).find(({ type }) => type === 'correction');
  if (correction === undefined) throw new Error('not corrected');
  await scene.writeOff(correction, null);
  await scene.pay('12.00', [[invoice, '10.00']]);
  await scene.refund('2.00');
  const ofMoney = (await exported()).filter((row) => !String(row).startsWith('invoice'));
  expect(ofMoney).toEqual([
    ['write-off', 'write_off', correction.number],
    ['write-off', 'accounts_receivable', correction.number],
    ['payment', 'cash', null],
    ['payment', 'accounts_receivable', null],
    ['refund', 'accounts_receivable', null],
    ['refund', 'cash', null],
  ]);
});
