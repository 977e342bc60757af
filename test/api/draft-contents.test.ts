/** What a decision about a draft is about, and what it says of everything else (RULES 52). */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../src/storage/canonical-json.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../../src/domain/tax/table-provider.js';
import { TaxUnavailable } from '../../src/domain/tax/tax.js';
import {
  exampleCalls,
  exampleCustomer,
  exampleMeter,
  exampleOfEachTest,
  examplePriceBook,
} from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const customer = (more: Json, id = 'cust_1'): Promise<Json> =>
  api.expect(id === 'cust_1' ? 200 : 201, 'PUT', `/customers/${id}`, { ...exampleCustomer, ...more });
const calls = (count: number, prefix = '', customerId = 'cust_1'): Promise<Json> =>
  api.expect(
    202,
    'POST',
    '/events',
    exampleCalls(count).map((event) => ({
      ...event,
      event_id: `${prefix}${String(event['event_id'])}`,
      customer_id: customerId,
    })),
  );
const close = (customerId = 'cust_1'): Promise<Json> =>
  api.expect(202, 'POST', `/billing-periods/${customerId}/2024-01/close`);
const list = (status: string): Promise<readonly Json[]> => api.all(`/invoices?status=${status}`);
const show = (invoice: Json): Promise<Json> => api.expect(200, 'GET', `/invoices/${String(invoice['invoice_id'])}`);
const hashOf = (invoice: Json): string => String((invoice['draft'] as Json)['content_hash']);
const decision = (invoice: Json, path: string): ['POST', string, Json, Record<string, string>] => [
  'POST',
  `/invoices/${String(invoice['invoice_id'])}/${path}`,
  { content_hash: hashOf(invoice), reason: 'looked at it' },
  { 'x-reckoner-actor': 'ann' },
];
const issued = (): Promise<readonly Json[]> => api.all('/invoices');

const german = (more: Json = {}): Json => ({ buyer: { country_code: 'DE', ...more } });
const taxed = (): ReturnType<typeof tableTaxProvider> =>
  tableTaxProvider(
    parseTaxTable({
      per: 'document',
      rates: [{ country: 'DE', category: 'standard', rate: '19', from: '2020-01-01' }],
    }),
  );

describe('once rejected, only a person issues it', () => {
  const closeAll = async (): Promise<void> => {
    await api.expect(202, 'POST', '/period-closes', { period: '2024-01' });
  };

  test.each([
    ['in its grace', 0],
    ['after its grace', 3],
  ])('a cent more, closed again %s, is held', async (_when, days) => {
    await customer({ grace_period: 'P2D' });
    await calls(1_000);
    await close();
    const [draft = {}] = await list('draft');
    await api.expect(200, ...decision(draft, 'reject'));
    await calls(1, 'more ');
    api.now += days * 86_400_000;
    await close();
    expect(await issued()).toEqual([]);
    await closeAll();
    expect(await issued()).toEqual([]);
    const [held = {}] = await list('held');
    expect(held).toMatchObject({
      total: '100.08',
      draft: { due_at: null, reason: expect.stringMatching(/rejected before, and says something else now/) },
    });
    expect(await list('draft')).toEqual([]);
    expect(await api.expect(200, ...decision(held, 'release'))).toMatchObject({ status: 'issued', total: '100.08' });
  });

  test('what was released before something else was rejected is asked again', async () => {
    await customer({ invoice_approval: 'required' });
    await calls(10);
    await close();
    const [draft = {}] = await list('draft');
    const decide = (made: 'approved' | 'rejected', contentHash: string): Promise<{ stored: boolean }> =>
      api.storage.drafts.decide(String(draft['invoice_id']), {
        ...{ decision: made, contentHash, actor: 'ann', reason: 'a test' },
      });
    await decide('approved', hashOf(draft));
    await decide('rejected', '0'.repeat(64));
    await close();
    expect(await issued()).toEqual([]);
    const [held = {}] = await list('held');
    expect(hashOf(held)).toBe(hashOf(draft));
    // Said once more it counts.
    expect(await decide('approved', hashOf(draft))).toEqual({ stored: true });
    expect(await decide('approved', hashOf(draft))).toEqual({ stored: false });
    await close();
    expect(await issued()).toMatchObject([{ total: '1.00' }]);
  });
});

describe('the content is who, whom, what, and which tax', () => {
  test('a rejection for a wrong buyer is cured by the right one', async () => {
    await customer({ invoice_approval: 'required', name: 'Acmee' });
    await calls(10);
    await close();
    const [draft = {}] = await list('draft');
    await api.expect(200, ...decision(draft, 'reject'));
    await close();
    await api.refused('INVOICE_REJECTED', 409, ...decision((await list('held'))[0] ?? {}, 'release'));
    await customer({ invoice_approval: 'required', name: 'Acme' });
    await close();
    const [held = {}] = await list('held');
    expect(held).toMatchObject({ total: '1.00', buyer: { name: 'Acme' } });
    expect(hashOf(held)).not.toBe(hashOf(draft));
    expect(await api.expect(200, ...decision(held, 'release'))).toMatchObject({
      status: 'issued',
      buyer: { name: 'Acme' },
    });
  });

  const changes: readonly (readonly [string, Json, () => unknown])[] = [
    ['buyer', { buyer: { country_code: 'DE', vat_id: 'DE123456789', city: 'Ulm' } }, () => undefined],
    ['name of the buyer', { ...german(), name: 'Another' }, () => undefined],
    ['legal entity', { ...german(), legal_entity: 'acme-de' }, () => undefined],
    ['tax category', { ...german({ vat_id: 'DE123456789' }), tax: { treatment: 'reverse_charge' } }, () => undefined],
    [
      'reason of the exemption',
      { ...german(), tax: { treatment: 'exempt', exemption_reason: 'Art. 132' } },
      () => undefined,
    ],
    ['jurisdiction', { buyer: { country_code: 'FR' } }, () => undefined],
    ['seller', german(), () => Object.assign(api.temporal.parties.seller, { name: 'Renamed Ltd.' })],
  ];
  test.each(changes)('another %s after the approval is not issued unseen', async (_what, more, besides) => {
    await api.expect(201, 'PUT', '/legal-entities/acme-de', { number_prefix: 'ACME-DE', name: 'Acme GmbH' });
    // Nothing changes a total: exempt all the way.
    api.temporal.taxProvider = taxed();
    const exempt = { tax: { treatment: 'exempt', exemption_reason: 'Small' }, invoice_approval: 'required' };
    await customer({ ...exempt, ...german() });
    await calls(10);
    await close();
    const [draft = {}] = await list('draft');
    const onClose = api.temporal.onClose;
    api.temporal.onClose = async (...closing) => {
      await customer({ ...exempt, ...more });
      besides();
      await onClose(...closing);
    };
    expect(await api.expect(200, ...decision(draft, 'approve'))).toMatchObject({ status: 'draft', total: '1.00' });
    api.temporal.onClose = onClose;
    expect(await issued()).toEqual([]);
    const refusal = await api.refused('INVOICE_CHANGED', 409, ...decision(draft, 'approve'));
    expect(refusal['detail']).toMatch(/asks .+ for 1\.00 USD now/);
    expect(await api.expect(200, ...decision(await show(draft), 'approve'))).toMatchObject({ status: 'issued' });
  });

  test('what changes nothing of it keeps an approval: another version of the customer', async () => {
    await customer({ invoice_approval: 'required' });
    await calls(10);
    await close();
    const [draft = {}] = await list('draft');
    await customer({ invoice_approval: 'required', grace_period: 'P1D', locale: 'de-DE' });
    expect(hashOf(await show(draft))).toBe(hashOf(draft));
    expect(await api.expect(200, ...decision(draft, 'approve'))).toMatchObject({ status: 'issued' });
  });

  /** As contents were hashed before buyer, seller and taxes belonged to them. */
  const formerHash = (invoice: Json): string => {
    const plain = (amount: unknown): string => String(amount).replace(/\.?0+$/, '') || '0';
    const lines = (invoice['lines'] as readonly Json[]).map((line) => ({
      ...{ line_key: line['line_key'], quantity: plain(line['quantity']), amount: plain(line['amount']) },
    }));
    const { currency } = invoice;
    const totals = Object.fromEntries(
      ['subtotal', 'credits', 'tax', 'total'].map((name) => [name, plain(invoice[name])]),
    );
    return createHash('sha256')
      .update(canonicalJson({ currency, ...totals, lines }))
      .digest('hex');
  };

  test.each(['approved', 'rejected'] as const)('what was %s under the former hash is asked again', async (before) => {
    await customer({ invoice_approval: before === 'approved' ? 'required' : 'none', grace_period: 'P1D' });
    await calls(11);
    await close();
    const [draft = {}] = await list('draft');
    await api.storage.drafts.decide(String(draft['invoice_id']), {
      ...{ decision: before, contentHash: formerHash(draft), actor: 'ann', reason: 'before the upgrade' },
    });
    api.now += 3 * 86_400_000;
    await close();
    expect(await issued()).toEqual([]);
    const now = await show(draft);
    expect(now).toMatchObject({ total: '1.10', status: before === 'approved' ? 'draft' : 'held' });
    const path = before === 'approved' ? 'approve' : 'release';
    expect(await api.expect(200, ...decision(now, path))).toMatchObject({ status: 'issued' });
  });
});

describe('while nobody can say what the tax is', () => {
  const away = { ...taxed(), quote: () => Promise.reject(new TaxUnavailable('TAX_UNAVAILABLE', 'It is away.')) };

  beforeEach(async () => {
    api.temporal.taxProvider = taxed();
    await customer({ ...german(), invoice_approval: 'required' });
    await customer({ ...german(), invoice_approval: 'required' }, 'cust_2');
    await calls(10);
    await calls(20, '', 'cust_2');
    await close();
    await close('cust_2');
    // Of one customer.
    await customer({ buyer: {}, invoice_approval: 'required' });
  });

  test('a draft says so, and hides no other', async () => {
    const drafts = await list('draft');
    expect(drafts).toMatchObject([
      { customer_id: 'cust_2', total: '2.38', draft: { problems: [] } },
      {
        customer_id: 'cust_1',
        total: '1.00',
        draft: {
          problems: [
            { code: 'TAX_DATA_MISSING', meter: null, group: {}, detail: expect.stringMatching(/country_code/) },
          ],
        },
      },
    ]);
    expect(await show(drafts[1] ?? {})).toMatchObject({ draft: { problems: [{ code: 'TAX_DATA_MISSING' }] } });
  });

  test('it is neither approved nor released, and can be rejected', async () => {
    const [, draft = {}] = await list('draft');
    const refusal = await api.refused('INVOICE_HAS_PROBLEMS', 409, ...decision(draft, 'approve'));
    expect(refusal['detail']).toMatch(/TAX_DATA_MISSING: .*country_code/);
    expect(await api.expect(200, ...decision(draft, 'reject'))).toMatchObject({
      ...{ status: 'held', draft: { decisions: [{ decision: 'rejected', actor: 'ann' }] } },
    });
    await api.refused('INVOICE_HAS_PROBLEMS', 409, ...decision(draft, 'release'));
    // What was rejected had no tax: what it says with tax is asked again.
    await customer({ ...german(), invoice_approval: 'required' });
    await close();
    const [held = {}] = await list('held');
    expect(held).toMatchObject({ total: '1.19', draft: { problems: [] } });
    expect(await api.expect(200, ...decision(held, 'release'))).toMatchObject({ status: 'issued', total: '1.19' });
  });

  test('what bears no tax is another content than what nobody knows the tax of', async () => {
    api.temporal.taxProvider = { ...taxed(), quote: () => Promise.resolve(null) };
    const untaxed = hashOf((await list('draft'))[0] ?? {});
    api.temporal.taxProvider = away;
    const [unknown = {}] = await list('draft');
    expect(unknown).toMatchObject({ total: '2.00', draft: { problems: [{ code: 'TAX_UNAVAILABLE' }] } });
    expect(hashOf(unknown)).not.toBe(untaxed);
  });
});

test('a draft and a held invoice are there, but can be neither voided nor verified', async () => {
  await customer({ invoice_approval: 'required' });
  await calls(10);
  await close();
  const [draft = {}] = await list('draft');
  const url = `/invoices/${String(draft['invoice_id'])}`;
  const refusals = async (what: RegExp): Promise<void> => {
    const verifying = await api.refused('INVOICE_NOT_ISSUED', 409, 'GET', `${url}/verify`);
    const voiding = await api.refused('INVOICE_NOT_ISSUED', 409, 'POST', `${url}/void`, { reason: 'x' });
    for (const refusal of [verifying, voiding]) expect(refusal['detail']).toMatch(what);
    const none = await api.refused('INVOICE_NOT_FOUND', 404, 'POST', `${url}/write-off`, { amount: null, reason: 'x' });
    expect(none['detail']).toMatch(what);
  };
  await refusals(/ is a draft/);
  await api.expect(200, ...decision(draft, 'reject'));
  await refusals(/ is held/);
  await customer({ invoice_approval: 'required', name: 'Another' });
  await api.expect(200, ...decision(await show(draft), 'release'));
  expect(await api.expect(200, 'GET', `${url}/verify`)).toMatchObject({ verified: true });
  expect(await api.expect(200, 'POST', `${url}/void`, { reason: 'x' })).toMatchObject({ status: 'void' });
  for (const id of [url.replace('/invoices/', '').replace(/^./, (digit) => (digit === '0' ? '1' : '0')), 'none'])
    await api.refused('INVOICE_NOT_FOUND', 404, 'GET', `/invoices/${id}/verify`);
});

describe('a draft of a period that is skipped since waits for nothing', () => {
  const voidCall = (): Promise<Json> =>
    api.expect(202, 'POST', '/event-adjustments', {
      ...{ type: 'void', customer_id: 'cust_1', event_id: 'e1', reason: 'a test call' },
    });
  const checklist = (): Promise<Json> => api.expect(200, 'GET', '/ledger/months/2024-01/checklist');
  const waiting = async (): Promise<unknown> => (await api.expect(200, 'GET', '/invoices'))['waiting'];

  test('one that a bound has held: neither listed nor decided about, until there is usage again', async () => {
    api.temporal.settings.bounds = { linesMax: 1, holdNegative: true, jumpFactor: 0, holdZero: false, trailing: 0 };
    await api.expect(201, 'POST', '/meters', { ...exampleMeter, code: 'others' });
    const prices = ['api_calls', 'others'].map((meter) => ({ meter, model: 'flat', unit_price: '0.10' }));
    await api.expect(201, 'POST', '/price-books', { ...examplePriceBook, version: 'v2', prices });
    await customer({ skip_empty_invoices: true });
    await calls(1);
    await close();
    const [held = {}] = await list('held');
    expect(await waiting()).toEqual({ draft: 0, held: 1 });
    expect(await checklist()).toMatchObject({ drafts: 1 });
    await voidCall();
    expect(await close()).toMatchObject({ invoice_id: null });
    expect(await list('held')).toEqual([]);
    expect(await waiting()).toEqual({ draft: 0, held: 0 });
    expect(await checklist()).toMatchObject({ drafts: 0, unbilled: 0, data: [] });
    const now = await show(held);
    expect(now).toMatchObject({ draft: { reason: expect.stringMatching(/^skipped/), due_at: null } });
    expect((now['life'] as readonly Json[]).map(({ event }) => event)).toEqual(['held', 'skipped']);
    for (const path of ['release', 'reject']) {
      const refusal = await api.refused('INVOICE_TRANSITION_REFUSED', 409, ...decision(now, path));
      expect(refusal['detail']).toMatch(/skipped.*close the period again/);
    }
    await calls(2, 'more ');
    await close();
    const [again = {}] = await list('held');
    expect(again).toMatchObject({
      invoice_id: held['invoice_id'],
      total: '0.40',
      draft: { reason: expect.stringMatching(/lines/) },
    });
    expect(await checklist()).toMatchObject({ drafts: 1 });
    expect(await api.expect(200, ...decision(again, 'release'))).toMatchObject({ status: 'issued', total: '0.40' });
  });

  test('one in its grace is asked for no more', async () => {
    await customer({ skip_empty_invoices: true, grace_period: 'P2D' });
    await calls(1);
    await close();
    expect(await list('draft')).toHaveLength(1);
    await voidCall();
    await close();
    expect(await list('draft')).toEqual([]);
    const due = (day: string): Promise<readonly unknown[]> =>
      api.storage.drafts.requestDue(`${day}T00:00:00.000000Z` as never, 10);
    expect([await due('2024-03-13'), await due('2024-03-14')]).toEqual([[], []]);
  });
});
