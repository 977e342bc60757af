/** The fixed words of a document, by language. Names, formulas and what people wrote stay as they are. */
import type { InvoiceType } from '../domain/invoicing/invoice.js';
import type { CreditReason } from '../domain/settlement/credit-note.js';
import type { TaxCategory } from '../domain/tax/tax.js';
import { german } from './labels-de.js';
import { english } from './labels-en.js';

type Kind = 'usage' | 'fee' | 'commitment' | 'adjustment';

export interface Labels {
  /** BCP 47: of the file, for reading aids. */
  readonly language: string;
  readonly titles: Readonly<Record<InvoiceType, string>>;
  readonly marks: Readonly<Record<'void' | 'draft', string>>;
  readonly billTo: string;
  readonly taxId: string;
  readonly vatId: string;
  readonly facts: Readonly<
    Record<
      | 'invoiceNumber'
      | 'documentNumber'
      | 'corrects'
      | 'credits'
      | 'replaces'
      | 'issueDate'
      | 'dueDate'
      | 'servicePeriod'
      | 'timeZone'
      | 'customer'
      | 'paymentTerms'
      | 'buyerReference',
      string
    >
  >;
  readonly of: (number: string, day: string) => string;
  readonly invoice: (id: string) => string;
  /** Of payment terms that Reckoner worded itself; others stay as they are. */
  readonly terms: { readonly onReceipt: string; readonly within: (days: number) => string };
  readonly summary: {
    readonly void: string;
    readonly draft: string;
    readonly nothing: string;
    readonly credit: (amount: string) => string;
    readonly due: (amount: string, day: string) => string;
    readonly moreDue: (amount: string, day: string) => string;
  };
  readonly columns: Readonly<
    Record<
      | 'description'
      | 'calculation'
      | 'quantity'
      | 'amount'
      | 'billedSoFar'
      | 'corrected'
      | 'difference'
      | 'reason'
      | 'before'
      | 'after'
      | 'credited',
      string
    >
  >;
  readonly totals: Readonly<Record<'subtotal' | 'credits' | 'tax' | 'total', string>>;
  readonly credit: (name: string) => string;
  readonly taxed: (tax: string, amount: string) => string;
  readonly taxes: Readonly<Record<TaxCategory, string>>;
  /** Titles of sections that are no meter. */
  readonly kinds: Readonly<Record<Kind, string>>;
  readonly sumOf: (title: string) => string;
  /** Above the sums by one dimension of a meter. */
  readonly ofWhichBy: (dimension: string) => string;
  /** The fixed words of calculations, which are stored in English: what each is printed as. */
  readonly calculation: readonly (readonly [RegExp, string])[];
  readonly lines: (count: number) => string;
  readonly correctedQuantity: (quantity: string) => string;
  readonly reason: (reason: string) => string;
  readonly nothingLeft: string;
  /** Of corrections and credit notes, by code; another one is printed as it stands. */
  readonly reasons: Readonly<Record<CreditReason, string>> & Readonly<Record<string, string>>;
  readonly noUsage: string;
  readonly carriedForward: string;
  readonly broughtForward: string;
  readonly page: (number: number, count: number) => string;
  readonly headings: Readonly<
    Record<'tax' | 'note' | 'payment' | 'credits' | 'reason' | 'correction' | 'credit' | 'void' | 'document', string>
  >;
  readonly sentences: {
    readonly drawn: (amount: string, name: string) => string;
    readonly givenBack: (amount: string, name: string) => string;
    readonly document: (facts: { currency: string; timeZone: string; id: string; converted: boolean }) => string;
    readonly theInvoice: (id: string) => string;
    readonly correction: (corrected: string) => string;
    readonly creditNote: (credited: string) => string;
    readonly invoiceVoid: string;
    readonly correctionVoid: string;
    readonly noClaim: string;
    readonly noPayment: string;
    readonly credited: (amount: string) => string;
    readonly pay: (facts: { amount: string; day: string; number: string }) => string;
    readonly account: (facts: { iban: string; holder: string }) => string;
    readonly questions: (email: string) => string;
  };
}

const languages: Readonly<Record<string, Labels>> = { en: english, de: german };

/** @param locale BCP 47; English where there are no words of its language */
export function labelsOf(locale: string): Labels {
  const [language = ''] = locale.toLowerCase().split(/[-_]/);
  return Object.hasOwn(languages, language) ? (languages[language] ?? english) : english;
}

/** `late_usage` in words. */
export function reasonText(code: string, { reasons }: Labels): string {
  return (Object.hasOwn(reasons, code) ? reasons[code] : undefined) ?? code.replaceAll('_', ' ');
}

/** The terms of payment of a document, which stores them in English. */
export function termsText(stored: string, { terms }: Labels): string {
  if (stored === 'Due on receipt') return terms.onReceipt;
  const days = /^Due within (\d+) days?$/.exec(stored)?.[1];
  return days === undefined ? stored : terms.within(Number(days));
}
