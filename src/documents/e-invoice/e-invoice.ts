/** A document as a structured e-invoice after EN 16931. The same document gives the same text. */
import { decimal, toDecimalString, zero } from '../../domain/decimal.js';
import { DomainFailure } from '../../domain/failure.js';
import type { Invoice, InvoiceLineItem } from '../../domain/invoicing/invoice.js';
import type { CreditNote } from '../../domain/settlement/credit-note.js';
import type { DecimalString } from '../../domain/values.js';
import { dayOf, lastDayBefore } from '../format.js';
import { brokenRules } from './check.js';
import type { EInvoiceTotals } from './check.js';
import { pricedQuantity } from './lines.js';
import { missingFacts, partyOf } from './parties.js';
import type { EInvoiceSyntax } from './parties.js';
import { breakdownsOf, categoriesOf } from './tax-categories.js';
import type { CategoryCode, VatBreakdown, VatCategory } from './tax-categories.js';

export interface EInvoiceOptions {
  readonly syntax: EInvoiceSyntax;
  /** Of a credit note by hand: why it was issued, in all and line by line. */
  readonly creditNote?: Pick<CreditNote, 'reason' | 'lines'>;
  /** What a correction or credit note corrects; without it the e-invoice is refused. */
  readonly correctedInvoice?: Pick<Invoice, 'number' | 'issuedAt'>;
}

/** UNCL 1001: a commercial invoice, a corrected one, a credit note. */
const typeCodes = { invoice: '380', correction: '384', credit_note: '381' } as const satisfies Record<
  Invoice['type'],
  string
>;

/**
 * The XML of a document: UBL, or UN/CEFACT CII as it stands in a Factur-X file. Checked against the library's schema and the
 * calculation rules of the norm before it is given out.
 * @throws DomainFailure E_INVOICE_NOT_POSSIBLE naming everything that is missing or cannot be said
 */
export async function eInvoiceXml(invoice: Invoice, options: EInvoiceOptions): Promise<string> {
  const data = eInvoiceData(invoice, options);
  // Only who asks for one pays for loading it.
  const { InvoiceService } = await import('@e-invoice-eu/core');
  const service = new InvoiceService({ log: nothing, warn: nothing, error: nothing });
  type Data = Parameters<typeof service.generate>[0];
  const format = options.syntax === 'ubl' ? 'UBL' : 'CII';
  try {
    const xml = await service.generate(data as unknown as Data, { format, lang: 'en', noWarnings: true });
    return typeof xml === 'string' ? xml : new TextDecoder().decode(xml);
  } catch (error) {
    throw refused(invoice, [`It does not fit the schema: ${validationText(error)}.`]);
  }
}

const nothing = (): void => undefined;

function validationText(error: unknown): string {
  const { errors } = error as {
    readonly errors?: readonly { readonly instancePath: string; readonly message?: string }[];
  };
  if (!Array.isArray(errors)) return String(error);
  return errors.map(({ instancePath, message = '' }) => `${instancePath} ${message}`).join('; ');
}

function refused({ number }: Invoice, problems: readonly string[]): DomainFailure {
  return new DomainFailure('E_INVOICE_NOT_POSSIBLE', `${number} cannot be an e-invoice. ${problems.join(' ')}`);
}

/** The document in the library's terms. @throws DomainFailure E_INVOICE_NOT_POSSIBLE */
function eInvoiceData(invoice: Invoice, options: EInvoiceOptions): object {
  const { seller, buyer, lines, type } = invoice;
  const sign = type === 'credit_note' ? -1 : 1;
  const breakdowns = breakdownsOf(invoice).map((own) => signed(own, sign));
  const categories: ReadonlySet<CategoryCode> = new Set(breakdowns.map(({ code }) => code));
  const totals = totalsOf(invoice, breakdowns, sign);
  const missing = [
    ...missingFacts(seller, { who: 'seller', syntax: options.syntax, categories, legalEntity: invoice.legalEntity }),
    ...missingFacts(buyer, { who: 'buyer', syntax: options.syntax, categories }),
  ];
  const unsaid = lines.filter((line) => categoriesOf(line, invoice).length !== 1);
  const problems = [
    ...(missing.length === 0
      ? []
      : [
          `Missing: ${missing.join(', ')}. A document keeps its parties: what is said now is on documents issued from now on.`,
        ]),
    ...(invoice.status === 'draft' || invoice.status === 'held' ? ['It is not issued.'] : []),
    ...(invoice.status === 'void' ? ['It is void.'] : []),
    ...(lines.length === 0 ? ['It has no lines (BR-16).'] : []),
    ...(type !== 'invoice' && options.correctedInvoice === undefined ? ['What it corrects is not known (BG-3).'] : []),
    ...unsaid.map(({ lineNumber }) => `Line ${lineNumber} does not bear exactly one tax (BR-CO-4).`),
    ...brokenRules(totals),
  ];
  if (problems.length > 0) throw refused(invoice, problems);
  return {
    'ubl:Invoice': {
      ...headOf(invoice, options),
      'cac:AccountingSupplierParty': { 'cac:Party': partyOf(seller, { who: 'seller', categories }) },
      'cac:AccountingCustomerParty': { 'cac:Party': partyOf(buyer, { who: 'buyer', categories }) },
      'cac:Delivery': { 'cbc:ActualDeliveryDate': lastDayBefore(invoice.periodEnd, invoice.timeZone) },
      ...paymentOf(invoice),
      'cac:TaxTotal': [taxTotal(totals, invoice.currency)],
      'cac:LegalMonetaryTotal': monetaryTotal(totals, invoice.currency),
      'cac:InvoiceLine': lines.map((line) =>
        lineOf(line, invoice, { sign, isCreditNote: options.creditNote !== undefined }),
      ),
    },
  };
}

const signed = (breakdown: VatBreakdown, sign: 1 | -1): VatBreakdown => ({
  ...breakdown,
  taxableAmount: times(breakdown.taxableAmount, sign),
  taxAmount: times(breakdown.taxAmount, sign),
});

/** Credits drawn are paid in advance (BT-113): they are means of payment, and tax is on everything (RULES 56). */
function totalsOf(invoice: Invoice, breakdowns: readonly VatBreakdown[], sign: 1 | -1): EInvoiceTotals {
  const { subtotal, tax, credits, total } = invoice;
  return {
    lineAmounts: invoice.lines.map(({ amount }) => times(amount, sign)),
    linesTotal: times(subtotal, sign),
    taxExclusive: times(subtotal, sign),
    taxTotal: times(tax, sign),
    taxInclusive: toDecimalString(decimal(subtotal).plus(decimal(tax)).times(sign)),
    prepaid: times(credits, sign),
    payable: times(total, sign),
    breakdowns,
    currency: invoice.currency,
    isCorrection: invoice.type !== 'invoice',
  };
}

function headOf(invoice: Invoice, { correctedInvoice, creditNote }: EInvoiceOptions): object {
  const { timeZone, type, total } = invoice;
  const isClaim = type !== 'credit_note' && !decimal(total).isNegative() && !decimal(total).isZero();
  return {
    'cbc:ID': invoice.number,
    'cbc:IssueDate': dayOf(invoice.issuedAt, timeZone),
    ...(isClaim && { 'cbc:DueDate': dayOf(invoice.dueAt, timeZone) }),
    'cbc:InvoiceTypeCode': typeCodes[type],
    ...(typeof creditNote?.reason === 'string' && { 'cbc:Note': [creditNote.reason] }),
    'cbc:DocumentCurrencyCode': invoice.currency,
    ...(invoice.buyer.reference !== undefined && { 'cbc:BuyerReference': invoice.buyer.reference }),
    'cac:InvoicePeriod': {
      'cbc:StartDate': dayOf(invoice.periodStart, timeZone),
      'cbc:EndDate': lastDayBefore(invoice.periodEnd, timeZone),
    },
    ...(correctedInvoice !== undefined &&
      type !== 'invoice' && {
        'cac:BillingReference': [
          {
            'cac:InvoiceDocumentReference': {
              'cbc:ID': correctedInvoice.number,
              'cbc:IssueDate': dayOf(correctedInvoice.issuedAt, timeZone),
            },
          },
        ],
      }),
  };
}

function paymentOf({ seller, paymentTerms, number }: Invoice): object {
  return {
    ...(seller.iban !== undefined && {
      'cac:PaymentMeans': [
        {
          'cbc:PaymentMeansCode': '30',
          'cbc:PaymentID': number,
          'cac:PayeeFinancialAccount': { 'cbc:ID': seller.iban.replace(/\s/g, ''), 'cbc:Name': seller.name },
        },
      ],
    }),
    ...(paymentTerms !== '' && { 'cac:PaymentTerms': { 'cbc:Note': paymentTerms } }),
  };
}

function taxTotal({ taxTotal: total, breakdowns }: EInvoiceTotals, currency: string): object {
  return {
    ...money('cbc:TaxAmount', total, currency),
    'cac:TaxSubtotal': breakdowns.map((own) => ({
      ...money('cbc:TaxableAmount', own.taxableAmount, currency),
      ...money('cbc:TaxAmount', own.taxAmount, currency),
      'cac:TaxCategory': {
        ...categoryOf(own),
        ...(own.reasonCode !== null && { 'cbc:TaxExemptionReasonCode': own.reasonCode }),
        ...(own.reason !== null && { 'cbc:TaxExemptionReason': own.reason }),
        'cac:TaxScheme': { 'cbc:ID': 'VAT' },
      },
    })),
  };
}

function monetaryTotal(totals: EInvoiceTotals, currency: string): object {
  return {
    ...money('cbc:LineExtensionAmount', totals.linesTotal, currency),
    ...money('cbc:TaxExclusiveAmount', totals.taxExclusive, currency),
    ...money('cbc:TaxInclusiveAmount', totals.taxInclusive, currency),
    ...(!decimal(totals.prepaid).isZero() && money('cbc:PrepaidAmount', totals.prepaid, currency)),
    ...money('cbc:PayableAmount', totals.payable, currency),
  };
}

function lineOf(
  line: InvoiceLineItem,
  invoice: Invoice,
  { sign, isCreditNote }: { readonly sign: 1 | -1; readonly isCreditNote: boolean },
): object {
  const { currency, timeZone } = invoice;
  const [category] = categoriesOf(line, invoice);
  const { quantity, unitCode, price, base } = pricedQuantity(line, sign);
  return {
    'cbc:ID': String(line.lineNumber),
    'cbc:Note': isCreditNote ? creditNoteText(line) : noteOf(line),
    'cbc:InvoicedQuantity': quantity,
    'cbc:InvoicedQuantity@unitCode': unitCode,
    ...money('cbc:LineExtensionAmount', times(line.amount, sign), currency),
    'cac:InvoicePeriod': {
      'cbc:StartDate': dayOf(line.serviceFrom, timeZone),
      'cbc:EndDate': lastDayBefore(line.serviceTo, timeZone),
    },
    'cac:Item': {
      'cbc:Name': line.description,
      'cac:SellersItemIdentification': { 'cbc:ID': line.item?.chargeCode ?? line.meter ?? line.description },
      'cac:ClassifiedTaxCategory': {
        ...(category !== undefined && categoryOf(category)),
        'cac:TaxScheme': { 'cbc:ID': 'VAT' },
      },
      ...propertiesOf(line),
    },
    'cac:Price': {
      ...money('cbc:PriceAmount', price as DecimalString, currency),
      'cbc:BaseQuantity': base,
      'cbc:BaseQuantity@unitCode': unitCode,
    },
  };
}

function noteOf({ calculation, quantity, originalAmount, correctedAmount, currency }: InvoiceLineItem): string {
  const used = quantity === null ? '' : `Quantity ${toDecimalString(decimal(quantity))}. `;
  const changed =
    originalAmount === null || correctedAmount === null
      ? ''
      : ` Billed so far ${currency} ${decimal(originalAmount).toFixed()}, corrected ${currency} ${decimal(correctedAmount).toFixed()}.`;
  return `${used}${calculation.formula}${changed}`;
}

/** `goodwill: an outage. Before this note EUR 10.00, after it EUR 6.67.` */
function creditNoteText({ reason, originalAmount, correctedAmount, currency }: InvoiceLineItem): string {
  const figure = (amount: DecimalString | null): string => `${currency} ${decimal(amount ?? zero).toFixed(2)}`;
  const why = (reason ?? '').replace(/^[a-z_]+/, (code) => code.replaceAll('_', ' '));
  return `${why}. Before this note ${figure(originalAmount)}, after it ${figure(correctedAmount)}.`;
}

/** An item's property has a value (BT-161): what a group lacks is left to the line's name. */
function propertiesOf({ group }: InvoiceLineItem): object {
  const properties = Object.entries(group)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => ({ 'cbc:Name': name, 'cbc:Value': value }));
  return properties.length === 0 ? {} : { 'cac:AdditionalItemProperty': properties };
}

function categoryOf({ code, rate }: VatCategory): object {
  return { 'cbc:ID': code, ...(rate !== null && { 'cbc:Percent': rate }) };
}

function money(name: string, amount: DecimalString, currency: string): object {
  return { [name]: decimal(amount).toFixed(2), [`${name}@currencyID`]: currency };
}

function times(amount: DecimalString, sign: 1 | -1): DecimalString {
  const value = decimal(amount).times(sign);
  return toDecimalString(value.isZero() ? decimal(zero) : value);
}
