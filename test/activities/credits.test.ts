/** Credits on real Postgres: two gates at once, what nothing can draw any more, and what was tampered with. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { endCredits } from '../../src/activities/end-credits.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { CreditTerms } from '../../src/domain/credits/grant.js';
import { addDecimals } from '../../src/domain/decimal.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import type { CreditGrant } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt, january } from './fixture.js';

let chain: ChainFixture;
beforeEach(async () => {
  chain = await createChainFixture();
});
afterEach(() => chain.close());

const postingDate = '2024-02-01' as LocalDate;
const instant = (day: string): Instant => `${day}T00:00:00.000000Z` as Instant;
const customerId = 'acme';

async function grant(amount: string, more: Partial<CreditTerms> = {}): Promise<string> {
  const grantId = randomUUID();
  const terms: CreditTerms = {
    ...{ grantId, customerId, currency: 'USD', type: 'prepaid', priority: 50, name: 'a package', reason: null },
    amount: amount as DecimalString,
    effectiveFrom: instant('2023-01-01'),
    ...{ expiresAt: null, rollOver: null, rolledOverFrom: null, grantedBy: 'ann' },
    ...more,
  };
  await chain.storage.credits.grant(terms, postingDate);
  return grantId;
}
const found = async (grantId: string): Promise<CreditGrant> => {
  const one = await chain.storage.credits.find(grantId);
  if (one === null) throw new Error(`no grant ${grantId}`);
  return one;
};
const balance = async (grantId: string): Promise<string> => (await found(grantId)).balance;
const sweep = (now: Instant = issuedAt): Promise<number> => endCredits({ storage: chain.storage, now: () => now });
const accounts = async (): Promise<Readonly<Record<string, number>>> =>
  Object.fromEntries(
    (await chain.storage.journal.accounts()).flatMap(({ account, balances }) =>
      balances.map(({ amount }) => [account, Number(amount)]),
    ),
  );
const expectInStep = async (): Promise<void> => {
  expect(await chain.storage.credits.mismatches()).toEqual([]);
  const { data } = await chain.storage.findings.list({ code: 'CREDITS_DIFFER_FROM_JOURNAL' }, { limit: 10 });
  expect(data).toEqual([]);
};
const ends = { januaryEnd: instant('2024-02-01'), februaryEnd: instant('2024-03-01') };

describe('two periods of one customer at once', () => {
  test('never draw more than there is, and none waits in a circle', async () => {
    for (let month = 1; month <= 6; month += 1) await chain.addCalls(customerId, 100, `2024-0${month}-10T00:00:00Z`);
    const grants = [await grant('15.00'), await grant('12.00'), await grant('8.00', { priority: 10 })];
    const billingDay = '2024-07-01' as LocalDate;
    for (let month = 1; month <= 6; month += 1) {
      const period = `2024-0${month}-01` as LocalDate;
      const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
      await chain.storage.periods.requestInvoicing(request);
    }
    // Several gates in each of them, and a sweep that finds nothing to end.
    await Promise.all([
      ...[1, 2, 3].map(() => chain.run(chain.activities.issueChunk, { billingDay, limit: 10 })),
      sweep(instant('2024-07-01')),
    ]);
    const { data } = await chain.storage.billing.listInvoices({ customerId }, { limit: 100 });
    expect(data).toHaveLength(6);
    expect(addDecimals(data.map(({ credits }) => credits))).toBe('35');
    expect(addDecimals(data.map(({ total }) => total))).toBe('25');
    expect(await Promise.all(grants.map(balance))).toEqual(['0', '0', '0']);
    for (const document of data) expect(await verifyInvoice(chain.storage, document)).toMatchObject({ verified: true });
    await expectInStep();
  });

  test('a grant that is taken back at the same time is drawn before or not at all', async () => {
    await chain.addCalls(customerId, 100);
    const grantId = await grant('6.00');
    const decision = { reason: 'not paid', voidedBy: 'ann', postingDate };
    const [, , ...voids] = await Promise.allSettled([
      chain.issue(),
      chain.issue(),
      ...[1, 2].map(() => chain.storage.credits.voidGrant(grantId, decision)),
    ]);
    expect(voids.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [document] = await chain.documents();
    const { voids: stored } = await chain.storage.credits.historyOf(grantId);
    expect(addDecimals([document?.credits ?? ('9' as DecimalString), ...stored.map(({ amount }) => amount)])).toBe('6');
    expect(stored).toHaveLength(1);
    await expectInStep();
  });
});

describe('the database', () => {
  const insert = (sql: string, ...values: readonly unknown[]): Promise<unknown> => {
    const client = new pg.Client({ connectionString: chain.url });
    return client
      .connect()
      .then(() => client.query(sql, [...values]))
      .finally(() => client.end());
  };
  const draw = `INSERT INTO credit_draws (invoice_id, entry, draw_number, grant_id, amount) VALUES ($1, $2, $3, $4, $5)`;

  test('refuses what goes below zero, what a document does not say, and what is of somebody else', async () => {
    await chain.addCalls(customerId, 100);
    const grantId = await grant('6.00');
    await chain.issue();
    const [document] = await chain.documents();
    const id = document?.invoiceId;
    const other = await grant('5.00');
    await expect(insert(draw, id, 'issued', 2, other, '1.00')).rejects.toThrow('its credits are 6');
    await expect(insert(draw, id, 'voided', 1, grantId, '-5.00')).rejects.toThrow('come to 5.00, its credits are 6');
    await expect(
      insert(`INSERT INTO credit_expiries (grant_id, sequence, amount, rolled_over) VALUES ($1, 1, 5.01, 0)`, other),
    ).rejects.toThrow('is overdrawn by 0.01');
    await expect(
      insert(
        `INSERT INTO credit_grant_voids (grant_id, sequence, amount, reason, voided_by) VALUES ($1, 1, 6, 'x', 'y')`,
        grantId,
      ),
    ).rejects.toThrow('is overdrawn by 6');
    await chain.addCustomer('stranger');
    const strange = await grant('6.00', { customerId: 'stranger' });
    await expect(insert(draw, id, 'voided', 1, strange, '-6.00')).rejects.toThrow(
      /another customer|more than was drawn/,
    );
    await expect(insert('UPDATE credit_draws SET amount = 1')).rejects.toThrow('append-only');
    await expectInStep();
  });

  test('two that take the last of a grant at once: one of them is refused, whoever forgot the lock', async () => {
    const grantId = await grant('5.00');
    const taking = `INSERT INTO credit_expiries (grant_id, sequence, amount, rolled_over) VALUES ($1, $2, 3, 0)`;
    const clients = [1, 2].map(() => new pg.Client({ connectionString: chain.url }));
    await Promise.all(clients.map((client) => client.connect()));
    await Promise.all(clients.map((client) => client.query('BEGIN')));
    await Promise.all(clients.map((client, index) => client.query(taking, [grantId, index + 1])));
    const committed = await Promise.allSettled(clients.map((client) => client.query('COMMIT')));
    expect(committed.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await Promise.all(clients.map((client) => client.end()));
    expect(await balance(grantId)).toBe('2');
  });
});

describe('what has expired', () => {
  test('ends once every period that could draw it is invoiced, once, and posts what is lost', async () => {
    await chain.addCalls(customerId, 40);
    const paid = await grant('10.00', { expiresAt: ends.januaryEnd });
    const given = await grant('3.00', { type: 'promotional', priority: 90, expiresAt: ends.januaryEnd });
    const open = await grant('2.00', { priority: 95, expiresAt: ends.februaryEnd });
    expect(await sweep()).toBe(0);
    await chain.issue();
    expect(await Promise.all([sweep(), sweep(), sweep()])).toContain(2);
    expect(await Promise.all([paid, given, open].map(balance))).toEqual(['0', '0', '2']);
    expect((await chain.storage.credits.historyOf(paid)).expiries).toMatchObject([
      { sequence: 1, amount: '6', rolledOver: '0', rolledOverTo: null },
    ]);
    expect(await accounts()).toEqual({
      cash: 12,
      credit_breakage: -6,
      customer_credit: -2,
      promotional_credit: 0,
      revenue: -4,
    });
    expect(await sweep()).toBe(0);
    await expectInStep();
  });

  test('rolls over up to its cap: a grant that begins when this one ends, and ends for good', async () => {
    await chain.addCalls(customerId, 40);
    const rollOver = { cap: '5.00' as DecimalString, validity: 'P30D' };
    const first = await grant('12.00', { priority: 7, expiresAt: ends.januaryEnd, rollOver });
    await chain.issue();
    await sweep();
    const [expiry] = (await chain.storage.credits.historyOf(first)).expiries;
    expect(expiry).toMatchObject({ amount: '8', rolledOver: '5' });
    const next = await found(expiry?.rolledOverTo ?? '');
    expect(next).toMatchObject({
      ...{ customerId, type: 'prepaid', priority: 7, amount: '5', balance: '5', rollOver: null },
      ...{ effectiveFrom: ends.januaryEnd, expiresAt: instant('2024-03-02'), rolledOverFrom: first },
    });
    expect(await accounts()).toMatchObject({ cash: 12, credit_breakage: -3, customer_credit: -5, revenue: -4 });

    // A correction gives 2 back to the first one: they expire as well, and the cap is used up.
    const gone = Array.from({ length: 20 }, (_, index) => ({
      ...{ customerId, source: '', eventId: `2024-01-10T00:00:00Z/${index}` },
      ...{ type: 'void', replacement: null, reason: null },
    })) as readonly Parameters<typeof chain.storage.adjustments.adjust>[0][];
    for (const event of gone) await chain.storage.adjustments.adjust(event);
    await chain.reRate('usage_correction');
    expect(await balance(first)).toBe('2');
    await sweep();
    expect((await chain.storage.credits.historyOf(first)).expiries).toMatchObject([
      {},
      { sequence: 2, amount: '2', rolledOver: '0', rolledOverTo: null },
    ]);
    await expectInStep();

    // February draws what has rolled over, and its rest ends in March.
    await chain.addCalls(customerId, 10, '2024-02-10T00:00:00Z');
    const request = { requestId: randomUUID(), customerId, billingDay: '2024-03-01' as LocalDate };
    await chain.storage.periods.requestInvoicing({
      ...{ ...request, period: '2024-02-01' as LocalDate, forced: false, reason: null },
    });
    await chain.run(chain.activities.issueChunk, { billingDay: request.billingDay, limit: 10 });
    expect(await balance(next.grantId)).toBe('4');
    await sweep(instant('2024-03-03'));
    expect(await balance(next.grantId)).toBe('0');
    expect(await accounts()).toMatchObject({ cash: 12, credit_breakage: -9, customer_credit: 0 });
    await expectInStep();
  });

  test('waits for a period whose invoice was voided, and not for one that was skipped', async () => {
    await chain.addCustomer('quiet', { skipEmptyInvoices: true });
    const skipped = await grant('3.00', { customerId: 'quiet', expiresAt: ends.januaryEnd });
    await chain.storage.periods.periodNamed('quiet', january);
    expect(await sweep()).toBe(0);
    await chain.issue('quiet');
    expect(await sweep()).toBe(1);
    expect(await balance(skipped)).toBe('0');

    await chain.addCalls(customerId, 40);
    const grantId = await grant('10.00', { expiresAt: ends.januaryEnd });
    await chain.issue();
    const [document] = await chain.documents();
    if (document === undefined) throw new Error('no invoice');
    await voidInvoice(chain.storage, document, { actor: 'ann', reason: 'a test', now: issuedAt });
    expect([await sweep(), await balance(grantId)]).toEqual([0, '10']);
    await chain.issue();
    expect([await sweep(), await balance(grantId)]).toEqual([1, '0']);
    expect((await chain.documents()).map(({ status, credits }) => [status, credits])).toEqual([
      ['void', '4'],
      ['issued', '4'],
    ]);
    await expectInStep();
  });

  test('waits for usage that the relay has not come to, whose period nobody has stored', async () => {
    const grantId = await grant('10.00', { expiresAt: ends.januaryEnd });
    const accepted = usageEvent({ customerId, eventId: 'accepted', eventTime: '2024-01-31T23:59:00Z' });
    await chain.storage.ledger.append([accepted], []);
    expect([await sweep(), await balance(grantId)]).toEqual([0, '10']);
    const { epoch } = await chain.storage.relay.acquire('all');
    await chain.storage.relay.plan('all', epoch);
    expect(await sweep()).toBe(0);
    await chain.issue();
    expect([await sweep(), await balance(grantId)]).toEqual([1, '0']);
    expect((await chain.documents()).map(({ credits }) => credits)).toEqual(['0.1']);
    await expectInStep();
  });

  test('what comes back to a void grant is taken back', async () => {
    await chain.addCalls(customerId, 40);
    const grantId = await grant('10.00');
    await chain.issue();
    await chain.storage.credits.voidGrant(grantId, { reason: 'not paid', voidedBy: 'ann', postingDate });
    await chain.storage.adjustments.adjust({
      ...{ customerId, source: '', eventId: '2024-01-10T00:00:00Z/3' },
      ...{ type: 'void', replacement: null, reason: null },
    });
    await chain.reRate('usage_correction');
    expect(await balance(grantId)).toBe('0.1');
    expect(await sweep()).toBe(1);
    expect((await chain.storage.credits.historyOf(grantId)).voids).toMatchObject([
      { sequence: 1, amount: '6', voidedBy: 'ann' },
      { sequence: 2, amount: '0.1', voidedBy: 'reckoner' },
    ]);
    expect(await accounts()).toMatchObject({ cash: 3.9, customer_credit: 0, revenue: -3.9 });
    await expectInStep();
  });
});

describe('what was tampered with', () => {
  beforeEach(async () => {
    await chain.addCalls(customerId, 100);
    await grant('6.00');
    await chain.issue();
  });
  const differences = async (): Promise<readonly string[]> => {
    const { report } = await reconcilePeriod(chain.storage, await chain.periodOf());
    return report.differences.map(({ stage }) => stage);
  };
  const verified = async (): Promise<boolean> => {
    const [document] = await chain.documents();
    if (document === undefined) throw new Error('no invoice');
    return (await verifyInvoice(chain.storage, document)).verified;
  };

  test('nothing: it holds', async () => {
    expect([await differences(), await verified()]).toEqual([[], true]);
  });

  test.each([
    ['a draw of another amount', 'credit_draws', 'UPDATE credit_draws SET amount = 5', ['draws→credits']],
    ['a draw that is gone', 'credit_draws', 'DELETE FROM credit_draws', ['draws→credits']],
    [
      'credits of another amount',
      'invoices',
      'UPDATE invoices SET credits = 5, total = 5',
      ['draws→credits', 'lines→journal', 'lines→journal'],
    ],
    ['a subtotal', 'invoices', 'UPDATE invoices SET subtotal = 11', ['lines→total', 'lines→total']],
    ['a total', 'invoices', 'UPDATE invoices SET total = 3', ['lines→total', 'lines→journal']],
    [
      'a posting',
      'postings',
      `UPDATE postings SET amount = amount + 1 WHERE account = 'customer_credit' AND amount > 0`,
      ['lines→journal'],
    ],
  ])('%s is found', async (_, table, sql, stages) => {
    await chain.tamper(table, sql);
    expect([...(await differences())].sort()).toEqual([...stages].sort());
    expect(await verified()).toBe(false);
  });

  test('a draw of another grant of the same amount is found by the hash', async () => {
    const other = await grant('6.00');
    await chain.tamper('credit_draws', `UPDATE credit_draws SET grant_id = '${other}'`);
    expect([await differences(), await verified()]).toEqual([[], false]);
  });

  test('grants that differ from the account are a finding of the sweep, stored once', async () => {
    await chain.tamper('credit_grants', 'UPDATE credit_grants SET amount = 7');
    await sweep();
    await sweep();
    const { data } = await chain.storage.findings.list({ code: 'CREDITS_DIFFER_FROM_JOURNAL' }, { limit: 10 });
    expect(data).toMatchObject([
      { customerId, subject: { customer_id: customerId, currency: 'USD', balances: '1', account: '0' } },
    ]);
  });
});
