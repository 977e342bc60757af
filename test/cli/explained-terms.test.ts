/** What a customer reads about a change of prices, included units, shares of a fee and rates of exchange. */
import { rateText } from '../../src/documents/exchange.js';
import type { ChargeExplanation } from '../../src/explanation/charge-explanation.js';
import { explainCharge } from '../../src/explanation/explain.js';
import { termsInWords } from '../../src/explanation/terms.js';

const period = { from: '2024-02-01T00:00:00.000000Z', to: '2024-03-01T00:00:00.000000Z' } as const;
const middle = '2024-02-15T00:00:00.000000Z';
const [until, since] = [[{ from: period.from, to: middle }], [{ from: middle, to: period.to }]] as const;

function charge(calculation: object, others: Partial<ChargeExplanation> = {}): ChargeExplanation {
  return {
    ...{ charge_id: 'c', current_charge_ids: ['c'], price_lookup: 'current', provisional: false, customer_id: 'acme' },
    ...{ period_from: period.from, period_to: period.to, time_zone: 'UTC', meter: 'calls', group: {} },
    ...{ amount: '0', currency: 'USD', invoice_lines: [] },
    ...others,
    calculation: {
      ...{ model: 'flat', formula: '1 × 1', quantity: '100', quantity_before: '0', unit_price: '0.10', tiers: [] },
      ...{ price_book: 'standard', price_book_version: 'v1', effective_date: '2024-01-01', in_force: until },
      ...{ windows: [], source_events: { count: 0, stands_for: null, digest: '', first: [], href: '' } },
      ...calculation,
    },
  } as unknown as ChargeExplanation;
}
const text = (own: ChargeExplanation, ...line: readonly ChargeExplanation[]): string =>
  termsInWords(own, line).join(' ');

describe('a change of prices within the period', () => {
  const first = charge({});
  const second = (calculation: object): ChargeExplanation =>
    charge({ in_force: since, quantity_before: '62.5', ...calculation });

  test('says what changed, in order of time, and nothing of units that a flat price does not count', () => {
    const later = second({ unit_price: '0.12' });
    expect(text(later, later, first)).toBe(
      'This price is for the usage of 15 February 2024 – 29 February 2024. The price changed within the period: ' +
        '1 February 2024 – 14 February 2024: 0.10 USD; 15 February 2024 – 29 February 2024: 0.12 USD.',
    );
  });

  test('at the same price says so; a discount makes it another one', () => {
    expect(text(first, first, second({}))).toContain('The rest of the period has the same price, of another version');
    const less = second({ discount: { percent: '10', of: '5' } });
    expect(text(first, first, less)).toContain('0.10 USD; 15 February 2024 – 29 February 2024: 0.10 USD less 10 %.');
  });

  test('names versions where the price is not one figure, and says less where only one price is known', () => {
    const tiered = second({ model: 'tiered', unit_price: null, price_book_version: 'v2' });
    expect(text(tiered, charge({ model: 'tiered', unit_price: null }), tiered)).toMatch(
      /standard, version v1; .*: standard, version v2\. Before that, 62\.5 units .* the tiers go on from there\.$/,
    );
    expect(text(tiered)).toContain('the rest of the period has another one, or none.');
  });

  test('of a percentage, what goes on are free events or a free amount, where there are any', () => {
    const terms = { rate: '0.013', fixed_fee: '0.30', per_event_minimum: null, per_event_maximum: '9' };
    const percentage = (free: object): ChargeExplanation =>
      second({ model: 'percentage', unit_price: null, percentage: { ...terms, ...free } });
    const none = percentage({ free_events: null, free_amount: null });
    expect(text(none, none, first)).toContain('1.3 %, 0.30 USD an event, 9 USD an event at most');
    expect(text(none, none, first)).not.toContain('Before that');
    expect(text(percentage({ free_events: 3, free_amount: null }))).toContain(
      'Before that, an amount of 62.5 had been counted in the period; the free events go on from there.',
    );
    expect(text(percentage({ free_events: null, free_amount: '70' }))).toContain('the free amount goes on from there.');
  });

  test('included units are told by the price that uses them up, and not again by the next one', () => {
    const included = { units: '100', quantity: '650' };
    expect(text(charge({ quantity: '750', included }))).toContain(
      'The first 100 units of a period are included; 650 of the 750 units here are beyond them.',
    );
    const later = text(second({ quantity_before: '750', quantity: '650', included }));
    expect(later).toContain('The 100 included units of the period had been used up before.');
    expect(later).not.toContain('Before that');
    expect(text(second({ quantity: '700', included }))).toContain(
      '62.5 units had been counted in the period; the included',
    );
  });
});

describe('a fee', () => {
  const fee = (fixed: object, inForce: readonly object[]): string =>
    explainCharge(
      charge(
        {
          ...{ model: 'fixed', quantity: '1', unit_price: null, in_force: inForce },
          fixed: { name: 'Platform', amount: '62.00', billed: 'in_advance', quantity_meter: null, ...fixed },
        },
        { meter: null, amount: '62.00' },
      ),
      { allWindows: false },
    );

  test('in advance says what it is for, and on whose invoice it is billed', () => {
    const out = fee({}, [{ from: period.to, to: '2024-04-01T00:00:00.000000Z' }]);
    expect(out).toContain('For       1 March 2024 – 31 March 2024, in advance (times are those of UTC)\n');
    expect(out).toContain('Billed    on the invoice of 1 February 2024 – 29 February 2024\n');
    expect(out).not.toContain('Period');
  });

  test('for a part of its period says days, or hours where the clock changed', () => {
    const share = (part: string, all: string): string =>
      fee({ billed: 'in_arrears', elapsed_seconds: part, period_seconds: all }, until).replace(/\s+/g, ' ');
    expect(share('1296000', '2678400')).toContain('15 of 31 days (1296000 of 2678400 seconds).');
    expect(share('1296000', '2674800')).toContain('360 of 743 hours (1296000 of 2674800 seconds).');
  });
});

test.each([
  [[], '1 USD = 0.8 EUR (own, 29 February 2024)'],
  [[{ base: 'USD', quote: 'EUR', rate: '0.8' }], '1 USD = 0.8 EUR (own, 29 February 2024)'],
  [
    [{ base: 'EUR', quote: 'USD', rate: '1.25' }],
    '1 USD = 0.8 EUR = 1 / 1.25 (own: 1 EUR = 1.25 USD, 29 February 2024)',
  ],
  [
    [
      { base: 'USD', quote: 'GBP', rate: '0.72' },
      { base: 'EUR', quote: 'GBP', rate: '0.9' },
    ],
    '1 USD = 0.8 EUR = 0.72 / 0.9 (own: 1 USD = 0.72 GBP, 1 EUR = 0.9 GBP, 29 February 2024)',
  ],
])('a rate is shown as it was published: %j', (inputs, expected) => {
  expect(rateText({ from: 'USD', to: 'EUR', rate: '0.8', rate_date: '2024-02-29', source: 'own', inputs })).toBe(
    expected,
  );
});
