/** A customer's account on a chain fixture: paying, crediting, and whether everything says the same. */
import { randomUUID } from 'node:crypto';
import { issueCreditNote } from '../../src/billing/settlement/credit-notes.js';
import { recordPayment } from '../../src/billing/settlement/payments.js';
import { decimal } from '../../src/domain/decimal.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { receivableIn } from '../../src/domain/settlement/items.js';
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
    await recordPayment(this.chain.storage, { payment, parts, now: issuedAt });
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

  async balanceOf(): Promise<ReturnType<typeof receivableIn>> {
    return receivableIn(await this.chain.storage.settlement.items(customerId), 'USD');
  }

  /** Documents, settlements, open items and the journal say the same. */
  async expectInStep(): Promise<void> {
    expect(await this.chain.storage.settlement.mismatches()).toEqual([]);
    const accounts = await this.chain.storage.journal.accounts();
    const own = accounts.find((each) => each.account === 'accounts_receivable');
    const account = decimal(own?.balances[0]?.amount ?? money('0')).toFixed();
    expect((await this.balanceOf()).balance).toBe(account);
  }
}
