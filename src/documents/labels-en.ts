import type { Labels } from './labels.js';

export const english: Labels = {
  language: 'en',
  titles: { invoice: 'Invoice', correction: 'Correction invoice', credit_note: 'Credit note' },
  marks: { void: 'VOID', draft: 'DRAFT' },
  billTo: 'Bill to',
  taxId: 'Tax ID',
  vatId: 'VAT ID',
  facts: {
    invoiceNumber: 'Invoice number',
    documentNumber: 'Document number',
    corrects: 'Corrects',
    credits: 'Credits',
    replaces: 'Replaces',
    issueDate: 'Issue date',
    dueDate: 'Due date',
    servicePeriod: 'Service period',
    timeZone: 'Time zone',
    customer: 'Customer',
    paymentTerms: 'Payment terms',
    buyerReference: 'Your reference',
  },
  of: (number, day) => `${number} of ${day}`,
  invoice: (id) => `invoice ${id}`,
  terms: { onReceipt: 'Due on receipt', within: (days) => `Due within ${days} ${days === 1 ? 'day' : 'days'}` },
  summary: {
    void: 'Void: nothing to pay',
    draft: 'Draft: not a request for payment',
    nothing: 'Nothing to pay',
    credit: (amount) => `Credit in your favour: ${amount}`,
    due: (amount, day) => `Amount due: ${amount} by ${day}`,
    moreDue: (amount, day) => `Additional amount due: ${amount} by ${day}`,
  },
  columns: {
    description: 'Description',
    calculation: 'Calculation',
    quantity: 'Quantity',
    amount: 'Amount',
    billedSoFar: 'Billed so far',
    corrected: 'Corrected',
    difference: 'Difference',
    reason: 'Reason',
    before: 'Before this note',
    after: 'After it',
    credited: 'Credited',
  },
  totals: { subtotal: 'Subtotal', credits: 'Credits', tax: 'Tax', total: 'Total' },
  credit: (name) => `Credit “${name}”`,
  taxed: (tax, amount) => `${tax} of ${amount}`,
  taxes: {
    standard: 'Tax',
    reduced: 'Tax (reduced)',
    zero: 'Tax (zero-rated)',
    exempt: 'Tax-exempt',
    reverse_charge: 'Reverse charge',
  },
  kinds: { usage: 'Usage', fee: 'Fees', commitment: 'Minimum commitment', adjustment: 'Corrections' },
  sumOf: (title) => `Sum of ${title}`,
  ofWhichBy: (dimension) => `of which by ${dimension}`,
  calculation: [],
  lines: (count) => `${count} ${count === 1 ? 'line' : 'lines'}`,
  correctedQuantity: (quantity) => `Corrected quantity ${quantity}`,
  reason: (reason) => `Reason: ${reason}`,
  nothingLeft: 'Nothing is left of this line',
  reasons: {
    goodwill: 'goodwill',
    billing_error: 'billing error',
    price_agreement: 'price agreement',
    service_not_provided: 'service not provided',
    quality_defect: 'quality defect',
    dispute: 'dispute',
    cancellation: 'cancellation',
  },
  noUsage: 'No usage in this period.',
  carriedForward: 'Carried forward',
  broughtForward: 'Brought forward',
  page: (number, count) => `Page ${number} of ${count}`,
  headings: {
    tax: 'Tax',
    note: 'Note',
    payment: 'Payment',
    credits: 'Credits',
    reason: 'Reason',
    correction: 'About this correction',
    credit: 'About this credit note',
    void: 'Void',
    document: 'About this document',
  },
  sentences: {
    drawn: (amount, name) => `${amount} drawn from "${name}"`,
    givenBack: (amount, name) => `${amount} given back to "${name}"`,
    document: ({ currency, timeZone, id, converted }) =>
      `All amounts are in ${currency}. Days and the service period are those of the time zone ${timeZone}. ` +
      (converted
        ? `Prices in another currency are converted to ${currency} at the exchange rate shown with the line. `
        : '') +
      `Every amount is rounded once, at its line. Document ${id}.`,
    theInvoice: (id) => `the invoice ${id}`,
    correction: (corrected) =>
      `Only lines that change are shown. "Billed so far" is what ${corrected} and its earlier corrections have billed together; ` +
      `credit notes issued by hand are not counted in it. "Difference" is what this document adds to it. ` +
      `${corrected} itself does not change.`,
    creditNote: (credited) =>
      `Only lines that are credited are shown. "Before this note" is what a line of ${credited} came to, its corrections and ` +
      `earlier credit notes included, without tax; "Credited" is what this note takes off. ${credited} itself does not change.`,
    invoiceVoid:
      'This invoice was taken back, together with all its corrections. It is shown as it was issued and is no longer a claim or a credit.',
    correctionVoid:
      'This correction was taken back together with the invoice that it corrects. It is shown as it was issued and is no longer a claim or a credit.',
    noClaim: 'No payment is asked for by this document.',
    noPayment: 'No payment is needed for this document.',
    credited: (amount) => `No payment is needed: this document credits you ${amount}.`,
    pay: ({ amount, day, number }) => `Please pay ${amount} by ${day} and quote ${number}.`,
    account: ({ iban, holder }) => `IBAN ${iban}, account holder ${holder}`,
    questions: (email) => `Questions: ${email}.`,
  },
};
