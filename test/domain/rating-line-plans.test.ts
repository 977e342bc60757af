/** What a line is priced by, and in which currency it stands, each by itself. */
import { decimal as exact } from '../../src/domain/decimal.js';
import type { D } from '../../src/domain/decimal.js';
import {
  currencyProblem,
  foreignCurrencies,
  inInvoiceCurrency,
  rateFor,
} from '../../src/domain/rating/invoice-currency.js';
import type { ConversionRates } from '../../src/domain/rating/invoice-currency.js';
import { lineRounding, metersDueWithoutUsage, planMeter } from '../../src/domain/rating/plan-meter.js';
import type { RatedCharge } from '../../src/domain/rating/rating.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { flat, segmentsOf, version } from '../support/rating-input.js';

const d = (text: string): DecimalString => text as DecimalString;
const decimal = (text: string): D => exact(d(text));

describe('currencies (RULES 23, 39)', () => {
  const rate = { from: 'USD', to: 'EUR', rate: d('0.5'), rateDate: '2024-01-31' as LocalDate, source: 'ecb' };
  const rates = new Map<string, unknown>([
    ['USD', rate],
    ['GBP', { missing: 'no rate of GBP' }],
  ]) as unknown as ConversionRates;
  const of = (currency: string) => ({ code: 'standard', version: 'v1', currency });
  const usd = version('v1', [flat('1')]);
  const gbp = version('v2', [flat('1')], { currency: 'GBP' });
  const chf = version('v3', [flat('1')], { currency: 'CHF' });

  test('foreign ones are those of any price book of the period, its meters and the next one', () => {
    const found = (more: object = {}) =>
      foreignCurrencies({ currency: 'USD', segments: segmentsOf([usd, null]), next: undefined, ...more });
    expect(found()).toEqual([]);
    expect(found({ currency: 'EUR' })).toEqual(['USD']);
    expect(found({ segments: segmentsOf([gbp, usd, chf, gbp]) })).toEqual(['CHF', 'GBP']);
    expect(found({ meterSegments: new Map([['calls', segmentsOf([chf])]]) })).toEqual(['CHF']);
    expect(found({ next: { segments: segmentsOf([gbp]) } })).toEqual(['GBP']);
  });

  test('a rate is asked for only where it is needed; one to another currency is a defect', () => {
    expect(rateFor({ currency: 'EUR', rates }, 'USD')).toBe(rate);
    expect(rateFor({ currency: 'USD', rates }, 'USD')).toBeNull();
    expect(rateFor({ rates }, 'USD')).toBeNull();
    expect(rateFor({ currency: 'EUR' }, 'USD')).toBeNull();
    expect(rateFor({ currency: 'EUR', rates }, 'GBP')).toBeNull();
    expect(() => rateFor({ currency: 'CHF', rates }, 'USD')).toThrow(/converts nothing/);
  });

  test('what has no rate is a problem, what is missing says why', () => {
    const problem = (currency: string | undefined, ...versions: readonly string[]) =>
      currencyProblem({ currency, rates } as Parameters<typeof currencyProblem>[0], versions.map(of))?.code ?? null;
    expect(problem('EUR', 'EUR', 'USD')).toBeNull();
    expect(problem('EUR', 'GBP')).toBe('EXCHANGE_RATE_MISSING');
    expect(problem('EUR', 'CHF')).toBe('CURRENCY_MISMATCH');
    expect(problem(undefined, 'CHF', 'CHF')).toBeNull();
    expect(problem(undefined, 'JPY', 'CHF')).toBe('CURRENCY_MISMATCH');
    expect(problem(undefined)).toBeNull();
  });

  const charge = (amount: string, currency: string, formula: string) =>
    ({ amount: d(amount), currency, calculation: { formula } }) as unknown as RatedCharge;
  const convert = (charges: readonly RatedCharge[], currency: string | undefined) =>
    inInvoiceCurrency(
      { charges, formula: 'all', amount: decimal('9.999') },
      { currency: 'USD', rounding: 'half_even' },
      { currency, rates } as Parameters<typeof currencyProblem>[0],
    );

  test('a line in the invoice’s currency stays as it is; one rate stands behind brackets; several term by term', () => {
    const charges = [charge('3', 'USD', 'a'), charge('-1', 'USD', '−b')];
    expect(convert(charges, 'USD')).toMatchObject({ currency: 'USD', amount: '10', formula: 'all', charges });
    expect(convert(charges, undefined)).toMatchObject({ currency: 'USD', formula: 'all', charges });
    const converted = convert(charges, 'EUR');
    expect(converted).toMatchObject({ currency: 'EUR', amount: '1', formula: '[all] × 0.5' });
    expect(converted.charges[0]?.calculation.conversion).toMatchObject({ rate: '0.5', amount: '1.50' });
    const mixed = convert([charge('3', 'USD', 'a'), charge('2', 'EUR', 'b'), charge('-1', 'EUR', '−c')], 'EUR');
    expect(mixed).toMatchObject({ amount: '2.5', formula: '[a] × 0.5 + b − c' });
    expect(mixed.charges[1]?.calculation).not.toHaveProperty('conversion');
    const unconverted = convert([charge('3', 'GBP', 'a'), charge('2', 'GBP', 'b')], 'EUR');
    expect(unconverted.formula).toBe('all');
  });
});

describe('plans of a meter (RULES 17, 20)', () => {
  const meter = { code: 'calls', groupBy: ['region', 'team'], aggregation: 'sum' } as const;
  const priceOf = (unit: string, match: object, more: object = {}): object => flat(unit, { match, ...more });
  const eu = { region: 'eu' };

  test('a dimensional price takes its group onto a line of its own, which the general line leaves out', () => {
    const book = version('v1', [flat('1', { price_by: [] }), priceOf('2', eu, { price_by: ['region'] })]);
    const groups = [
      { region: 'eu', team: 'a' },
      { region: 'us', team: 'a' },
    ];
    const plan = planMeter(meter, segmentsOf([book]), groups);
    const [inEu, inUs] = groups.map((group) => plan.planOf(group)?.line);
    expect(inEu).toMatchObject({ group: eu, except: [] });
    expect(inUs).toMatchObject({ group: {}, except: [eu] });
    expect(inEu?.lineKey).not.toBe(inUs?.lineKey);
    expect(plan.planOf({ region: 'never', team: 'seen' })).toBeNull();
  });

  test('a segment without a price for the group is not priced, whatever other groups have there', () => {
    const books = [
      version('v1', [priceOf('1', eu)]),
      version('v2', [priceOf('1', eu), priceOf('3', { region: 'us' })]),
      null,
    ];
    const groups = [
      { region: 'eu', team: 'a' },
      { region: 'us', team: 'a' },
    ];
    const plan = planMeter(meter, segmentsOf(books), groups);
    const priced = groups.map((group) => [0, 1, 2].map((segment) => plan.planOf(group)?.isPriced(segment)));
    expect(priced).toEqual([
      [true, true, false],
      [false, true, false],
    ]);
    expect(groups.map((group) => [0, 1, 2].map((segment) => plan.wasPriced(group, segment)))).toEqual([
      [false, true, true],
      [false, false, true],
    ]);
    expect(planMeter(meter, segmentsOf([null]), groups).planOf({})).toBeNull();
  });

  test('lines are due without usage where the last version says so, one a group that a price names', () => {
    const due = (books: Parameters<typeof segmentsOf>[0]) =>
      planMeter(meter, segmentsOf(books), []).due.map(({ group }) => group);
    const withMinimum = version('v1', [flat('1', { minimum: '5', price_by: [] })]);
    const without = version('v2', [flat('1', { price_by: [] })]);
    expect(due([withMinimum])).toEqual([{}]);
    expect(due([without])).toEqual([]);
    expect(due([null])).toEqual([]);
    expect(due([version('v3', [priceOf('1', { region: 'eu', team: 'a' }, { minimum: '5' })])])).toEqual([
      { region: 'eu', team: 'a' },
    ]);
    expect(metersDueWithoutUsage(segmentsOf([null, without, withMinimum]))).toEqual(['calls']);
    expect(metersDueWithoutUsage(segmentsOf([null]))).toEqual([]);
  });

  test('a line is rounded as its last version says', () => {
    const up = version('v1', [flat('1')], { rounding: 'half_up' });
    const even = version('v2', [priceOf('1', eu)], { rounding: 'half_even' });
    expect(lineRounding(meter, {}, segmentsOf([up]))).toBe('half_up');
    expect(lineRounding(meter, eu, segmentsOf([up, even]))).toBe('half_even');
    expect(lineRounding(meter, { region: 'us' }, segmentsOf([even]))).toBeNull();
    expect(lineRounding(meter, {}, segmentsOf([null]))).toBeNull();
  });
});
