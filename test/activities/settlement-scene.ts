/** A customer's account on a chain fixture: paying, crediting, and whether everything says the same. */
import { randomUUID } from 'node:crypto';
import { issueCreditNote, refundCredit, writeOff } from '../../src/billing/settlement/credit-notes.js';
import { recordPayment, reversePayment } from '../../src/billing/settlement/payments.js';
import { decimal } from '../../src/domain/decimal.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { receivableIn, standingOf } from '../../src/domain/settlement/items.js';
import type { Receivable } from '../../src/domain/settlement/items.js';
import { statusByMoney } from '../../src/domain/settlement/status.js';
import type { DecimalString } from '../../src/domain/values.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt } from './fixture.js';

export const customerId = 'acme';
export const deciding = { actor: 'ann', now: issuedAt };
export const money = (amount: string): DecimalString => amount as DecimalString;

export class SettlementScene {
  constructor(readonly chain: ChainFixture) {}

  async invoiced(calls = 100): Promise<Invoice> {
    await this.chain.addCalls(customerId, calls);
    await this.chain.issue();
    const [invoice] = await this.chain.documents();
    if (invoice === undefined) throw new Error('no invoice');
    return invoice;
  }

  async pay(amount: string, to: readonly (readonly [Invoice, string])[] = []): Promise<string> {
    const paymentId = randomUUID();
    const payment = {
      ...{ paymentId, customerId, currency: 'USD', amount: money(amount), receivedAt: issuedAt },
      ...{ method: 'card', reference: null, recordedBy: 'ann' },
    };
    const parts = to.map(([{ invoiceId, number }, part]) => ({ invoiceId, number, amount: money(part) }));
    await recordPayment(this.chain.storage, { payment, parts, allowDuplicate: false, now: issuedAt });
    return paymentId;
  }

  credit(invoice: Invoice, amount: string | null): Promise<void> {
    const lines = invoice.lines.slice(0, 1).map(({ lineItemId }) => ({
      ...{ lineItemId, amount: amount === null ? null : money(amount) },
      ...{ reasonCode: 'goodwill', reason: null },
    })) as Parameters<typeof issueCreditNote>[2]['lines'];
    return issueCreditNote(this.chain.storage, invoice, {
      ...deciding,
      creditNoteId: randomUUID(),
      lines,
      reason: null,
    });
  }

  async balanceOf(): Promise<Omit<Receivable, 'besideWriteOffs'>> {
    const items = await this.chain.storage.settlement.items(customerId);
    const { besideWriteOffs: _, ...balance } = receivableIn(items, 'USD');
    return balance;
  }

  /** What of January's calls never happened, from the first one on; corrected as a re-rating does. */
  async takeBackCalls(first: number, count: number): Promise<void> {
    for (let index = first; index < first + count; index += 1) {
      await this.chain.storage.adjustments.adjust({
        ...{ customerId, source: '', eventId: `2024-01-10T00:00:00Z/${index}` },
        ...{ type: 'void', replacement: null, reason: null },
      });
    }
    await this.chain.reRate('usage_correction');
  }

  async writeOff(invoice: Invoice, amount: string | null, writeOffId: string = randomUUID()): Promise<string> {
    const asked = { ...deciding, writeOffId, amount: amount === null ? null : money(amount), reason: 'insolvent' };
    await writeOff(this.chain.storage, invoice, asked);
    return writeOffId;
  }

  async refund(amount: string): Promise<void> {
    const wanted = { refundId: randomUUID(), customerId, currency: 'USD', amount: money(amount), method: 'card' };
    const refund = { ...wanted, reference: null, reason: 'asked', refundedBy: 'ann' };
    await refundCredit(this.chain.storage, refund, { now: issuedAt });
  }

  async reverse(paymentId: string, requestId: string = randomUUID()): Promise<void> {
    const payment = await this.chain.storage.settlement.findPayment(paymentId);
    if (payment === null) throw new Error('no payment');
    await reversePayment(this.chain.storage, payment, { ...deciding, requestId, reason: 'bounced' });
  }

  /** Of every document that counts: what its money says, and what is stored. */
  async expectStatusesByMoney(): Promise<void> {
    const { data } = await this.chain.storage.billing.listInvoices({ customerId }, { limit: 100 });
    const items = await this.chain.storage.settlement.items(
      customerId,
      data.map(({ invoiceId }) => invoiceId),
    );
    const stored = items.chains.flatMap((chain) => chain.documents.map(({ number, status }) => [number, status]));
    const byMoney = items.chains.flatMap((chain) => {
      const { documents } = standingOf(chain);
      return chain.documents.map((document) => {
        const open = documents.get(document.invoiceId)?.open ?? money('0');
        return [document.number, statusByMoney(document, { open }, issuedAt)];
      });
    });
    expect(stored).toEqual(byMoney);
  }

  /** Documents, settlements, open items, statuses and the journal say the same. */
  async expectInStep(): Promise<void> {
    await this.expectStatusesByMoney();
    expect(await this.chain.storage.settlement.mismatches()).toEqual([]);
    const accounts = await this.chain.storage.journal.accounts();
    const own = accounts.find((each) => each.account === 'accounts_receivable');
    const account = decimal(own?.balances[0]?.amount ?? money('0')).toFixed();
    expect((await this.balanceOf()).balance).toBe(account);
  }
}
