/** The journal: balances, the trial balance, entries in order, and what the database refuses. */
import type { JournalEntry, Posting } from '../../src/domain/ledger/journal.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { createBillingStore } from '../../src/storage/billing.js';
import { createJournalStore } from '../../src/storage/journal.js';
import type { BillingPeriod, BillingStore, JournalStore } from '../../src/storage/types.js';
import { createFixture, type Fixture } from './usage-fixture.js';

let fixture: Fixture;
let billing: BillingStore;
let journal: JournalStore;
beforeAll(async () => {
  fixture = await createFixture();
  billing = createBillingStore(fixture.db);
  journal = createJournalStore(fixture.db);
});
afterAll(() => fixture.close());

const posting = (account: Posting['account'], currency: string, amount: string): Posting => ({
  account,
  lineItemId: null,
  currency,
  amount: amount as DecimalString,
});

function entry(period: BillingPeriod, sourceDocument: string, postings: readonly Posting[]): JournalEntry {
  return {
    sourceDocument,
    customerId: period.customerId,
    invoiceId: null,
    postingDate: '2024-02-01' as LocalDate,
    serviceFrom: period.from,
    serviceTo: period.to,
    description: sourceDocument,
    postings,
  };
}

const newPeriod = async (): Promise<BillingPeriod> => fixture.addPeriod(await fixture.addCustomer());
const post = (period: BillingPeriod, sourceDocument: string, postings: readonly Posting[]): Promise<void> =>
  billing.atGate(period, (gate) => gate.postEntry(entry(period, sourceDocument, postings)));

test('accounts without postings are listed, and the trial balance of nothing is empty', async () => {
  expect(await journal.accounts()).toEqual([
    { account: 'accounts_receivable', name: 'Accounts receivable', kind: 'asset', balances: [] },
    { account: 'cash', name: 'Cash', kind: 'asset', balances: [] },
    { account: 'credit_breakage', name: 'Breakage of expired credit', kind: 'revenue', balances: [] },
    { account: 'customer_credit', name: 'Customer credit', kind: 'liability', balances: [] },
    { account: 'promotional_credit', name: 'Promotional credit', kind: 'revenue', balances: [] },
    { account: 'revenue', name: 'Usage revenue', kind: 'revenue', balances: [] },
    { account: 'tax_payable', name: 'Tax payable', kind: 'liability', balances: [] },
  ]);
  expect(await journal.trialBalance()).toEqual([]);
});

test('balances by account and currency, to the last digit, and entries in the order of posting', async () => {
  const period = await newPeriod();
  await post(period, 'document/1', [
    posting('accounts_receivable', 'USD', '118.72'),
    posting('revenue', 'USD', '-118.72'),
  ]);
  await post(period, 'document/2', [
    posting('accounts_receivable', 'JPY', '90071992547409931'),
    posting('revenue', 'JPY', '-90071992547409931'),
  ]);
  await post(period, 'document/3', [posting('accounts_receivable', 'USD', '-0.10'), posting('revenue', 'USD', '0.10')]);
  const posted = (await journal.accounts()).filter(({ balances }) => balances.length > 0);
  expect(posted.map(({ account, balances }) => [account, balances])).toEqual([
    [
      'accounts_receivable',
      [
        { currency: 'JPY', amount: '90071992547409931' },
        { currency: 'USD', amount: '118.62' },
      ],
    ],
    [
      'revenue',
      [
        { currency: 'JPY', amount: '-90071992547409931' },
        { currency: 'USD', amount: '-118.62' },
      ],
    ],
  ]);
  expect(await journal.trialBalance()).toEqual([
    {
      account: 'accounts_receivable',
      currency: 'JPY',
      debit: '90071992547409931',
      credit: '0',
      balance: '90071992547409931',
    },
    { account: 'accounts_receivable', currency: 'USD', debit: '118.72', credit: '0.10', balance: '118.62' },
    { account: 'revenue', currency: 'JPY', debit: '0', credit: '90071992547409931', balance: '-90071992547409931' },
    { account: 'revenue', currency: 'USD', debit: '0.10', credit: '118.72', balance: '-118.62' },
  ]);
  const first = await journal.entries({ customerId: period.customerId }, { limit: 2 });
  const second = await journal.entries({ customerId: period.customerId }, { limit: 2, cursor: first.nextCursor ?? '' });
  const all = [...first.data, ...second.data];
  expect(all.map((item) => item.sourceDocument)).toEqual(['document/1', 'document/2', 'document/3']);
  expect(second.nextCursor).toBeNull();
  expect(all[0]).toMatchObject(
    entry(period, 'document/1', [
      posting('accounts_receivable', 'USD', '118.72'),
      posting('revenue', 'USD', '-118.72'),
    ]),
  );
  expect((await journal.entries({ customerId: 'nobody' }, { limit: 2 })).data).toEqual([]);
});

describe('the database refuses', () => {
  test('an entry that is out of balance in one of its currencies', async () => {
    const period = await newPeriod();
    const crossed = [posting('accounts_receivable', 'USD', '1'), posting('revenue', 'EUR', '-1')];
    await expect(post(period, 'document/crossed', crossed)).rejects.toThrow(/does not sum to zero/);
    expect((await journal.entries({ customerId: period.customerId }, { limit: 2 })).data).toEqual([]);
  });

  test('a second entry for one document', async () => {
    const period = await newPeriod();
    const postings = [posting('accounts_receivable', 'USD', '1'), posting('revenue', 'USD', '-1')];
    await post(period, 'document/once', postings);
    await expect(post(period, 'document/once', postings)).rejects.toThrow(/duplicate key/);
  });

  test('to change or delete what was posted', async () => {
    for (const change of [
      'UPDATE postings SET amount = 0',
      'DELETE FROM postings',
      'TRUNCATE postings',
      'UPDATE journal_entries SET description = NULL',
    ]) {
      await expect(fixture.db.pool.query(change)).rejects.toThrow(/append-only/);
    }
  });
});
