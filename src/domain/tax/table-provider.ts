import { zero } from '../decimal.js';
import type { RoundingMode } from '../rating/price-book.js';
import type { DecimalString, LocalDate } from '../values.js';
import { TaxUnavailable } from './tax.js';
import type { TaxCategory, TaxProvider, TaxQuestion, TaxQuote, TaxRule } from './tax.js';

export interface TaxRate {
  readonly country: string;
  readonly category: 'standard' | 'reduced';
  readonly rate: DecimalString;
  /** Both days belong to it; null: until another one begins. */
  readonly from: LocalDate;
  readonly until: LocalDate | null;
}

/** A configuration: which rate holds where and when. */
export interface TaxTable {
  readonly per: 'document' | 'line';
  readonly rounding: RoundingMode;
  /** Of customers with the standard treatment: what is taxed in another way, by charge code. */
  readonly categories: Readonly<Record<string, TaxCategory>>;
  readonly rates: readonly TaxRate[];
}

const reverseCharge = {
  reasonCode: 'VATEX-EU-AE',
  reason: 'Reverse charge: the recipient accounts for the tax',
} as const;
const taxedAway: TaxCategory[] = ['zero', 'exempt', 'reverse_charge'];

/** Rates of a table by the buyer's country, the customer's treatment and the period's last day. */
export function tableTaxProvider(table: TaxTable): TaxProvider {
  const known = ({ documentId }: { readonly documentId: string }): Promise<string> => Promise.resolve(documentId);
  return {
    name: 'table',
    reports: false,
    quote: async (question) => Promise.resolve(quote(table, question)),
    commit: known,
    credit: known,
    void: known,
  };
}

/** @throws TaxUnavailable */
function quote(table: TaxTable, question: TaxQuestion): TaxQuote {
  const rules = question.lines.map(({ lineKey, chargeCode }) => {
    const { treatment } = question.treatment;
    const category = treatment === 'standard' ? (table.categories[chargeCode] ?? treatment) : treatment;
    return [lineKey, [ruleOf(table, question, category)]] as const;
  });
  return { terms: { provider: 'table', per: table.per, rounding: table.rounding }, rules: new Map(rules) };
}

function ruleOf({ rates }: TaxTable, question: TaxQuestion, category: TaxCategory): TaxRule {
  const { buyer, customerId, date, treatment } = question;
  if (buyer.country === null) {
    const detail = `Which tax "${customerId}" bears depends on the country: PUT /customers/${customerId} with "buyer": {"country_code": "DE", …}.`;
    throw new TaxUnavailable('TAX_DATA_MISSING', detail);
  }
  const jurisdiction = buyer.country;
  if (category === 'reverse_charge' && buyer.taxId === null) {
    const detail = `Reverse charge needs the tax id of "${customerId}": PUT /customers/${customerId} with "buyer": {"vat_id": …}.`;
    throw new TaxUnavailable('TAX_DATA_MISSING', detail);
  }
  if (taxedAway.includes(category)) {
    const why =
      category === 'reverse_charge'
        ? reverseCharge
        : { reasonCode: null, reason: category === 'exempt' ? (treatment.exemptionReason ?? 'Exempt from tax') : null };
    return { jurisdiction, category, rate: zero, ...why };
  }
  const holding = rates
    .filter((rate) => rate.country === jurisdiction && rate.category === category)
    .filter(({ from, until }) => from <= date && (until === null || date <= until))
    .reduce<TaxRate | null>((latest, rate) => (latest === null || rate.from > latest.from ? rate : latest), null);
  if (holding !== null) return { jurisdiction, category, rate: holding.rate, reasonCode: null, reason: null };
  const detail = `The tax table has no ${category} rate of ${jurisdiction} on ${date}. Add it (RECKONER_TAX_TABLE), restart the worker.`;
  throw new TaxUnavailable('TAX_RATE_MISSING', detail);
}
