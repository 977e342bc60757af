import type { Labels } from './labels.js';

/** A credit note is a "Rechnungskorrektur": by German VAT law (§ 14 UStG) a "Gutschrift" is an invoice that the buyer writes. */
export const german: Labels = {
  language: 'de',
  titles: { invoice: 'Rechnung', correction: 'Korrekturrechnung', credit_note: 'Rechnungskorrektur' },
  marks: { void: 'STORNIERT', draft: 'ENTWURF' },
  billTo: 'Rechnung an',
  taxId: 'Steuernummer',
  vatId: 'USt-IdNr.',
  facts: {
    invoiceNumber: 'Rechnungsnr.',
    documentNumber: 'Belegnummer',
    corrects: 'Korrigiert',
    credits: 'Zu Rechnung',
    replaces: 'Ersetzt',
    issueDate: 'Datum',
    dueDate: 'Fällig am',
    servicePeriod: 'Leistungszeitraum',
    timeZone: 'Zeitzone',
    customer: 'Kunde',
    paymentTerms: 'Zahlungsziel',
  },
  of: (number, day) => `${number} vom ${day}`,
  invoice: (id) => `Rechnung ${id}`,
  terms: {
    onReceipt: 'Zahlbar sofort nach Erhalt',
    within: (days) => `Zahlbar innerhalb von ${days} ${days === 1 ? 'Tag' : 'Tagen'}`,
  },
  summary: {
    void: 'Storniert: nichts zu zahlen',
    draft: 'Entwurf: keine Zahlungsaufforderung',
    nothing: 'Nichts zu zahlen',
    credit: (amount) => `Guthaben zu Ihren Gunsten: ${amount}`,
    due: (amount, day) => `Zu zahlen: ${amount} bis ${day}`,
    moreDue: (amount, day) => `Zusätzlich zu zahlen: ${amount} bis ${day}`,
  },
  columns: {
    description: 'Beschreibung',
    calculation: 'Berechnung',
    quantity: 'Menge',
    amount: 'Betrag',
    billedSoFar: 'Bisher berechnet',
    corrected: 'Korrigiert',
    difference: 'Differenz',
    reason: 'Grund',
    before: 'Vorher',
    after: 'Nachher',
    credited: 'Gutgeschrieben',
  },
  totals: { subtotal: 'Zwischensumme', credits: 'Guthaben', tax: 'Steuer', total: 'Gesamtbetrag' },
  credit: (name) => `Guthaben „${name}“`,
  taxed: (tax, amount) => `${tax} auf ${amount}`,
  taxes: {
    standard: 'Steuer',
    reduced: 'Steuer (ermäßigt)',
    zero: 'Steuer (Nullsatz)',
    exempt: 'Steuerfrei',
    reverse_charge: 'Steuerschuldnerschaft des Leistungsempfängers',
  },
  kinds: { usage: 'Verbrauch', fee: 'Gebühren', commitment: 'Mindestabnahme', adjustment: 'Korrekturen' },
  sumOf: (title) => `Summe ${title}`,
  lines: (count) => `${count} ${count === 1 ? 'Position' : 'Positionen'}`,
  correctedQuantity: (quantity) => `Korrigierte Menge ${quantity}`,
  reason: (reason) => `Grund: ${reason}`,
  nothingLeft: 'Von dieser Position bleibt nichts',
  reasons: {
    goodwill: 'Kulanz',
    billing_error: 'Abrechnungsfehler',
    price_agreement: 'Preisvereinbarung',
    service_not_provided: 'Leistung nicht erbracht',
    quality_defect: 'Qualitätsmangel',
    dispute: 'Reklamation',
    cancellation: 'Kündigung',
    late_usage: 'nachgemeldeter Verbrauch',
    usage_correction: 'berichtigter Verbrauch',
    price_correction: 'berichtigter Preis',
    rating_defect: 'Fehler in der Berechnung',
    manual: 'von Hand',
  },
  noUsage: 'Kein Verbrauch in diesem Zeitraum.',
  carriedForward: 'Übertrag',
  broughtForward: 'Übertrag',
  page: (number, count) => `Seite ${number} von ${count}`,
  headings: {
    tax: 'Steuer',
    note: 'Hinweis',
    payment: 'Zahlung',
    credits: 'Guthaben',
    reason: 'Grund',
    correction: 'Zu dieser Korrektur',
    credit: 'Zu dieser Rechnungskorrektur',
    void: 'Storniert',
    document: 'Zu diesem Beleg',
  },
  sentences: {
    drawn: (amount, name) => `${amount} aus „${name}“ verbraucht`,
    givenBack: (amount, name) => `${amount} an „${name}“ zurückgegeben`,
    document: ({ currency, timeZone, id, converted }) =>
      `Alle Beträge in ${currency}. Tage und Leistungszeitraum gelten in der Zeitzone ${timeZone}. ` +
      (converted
        ? `Preise in anderer Währung sind zu dem bei der Position genannten Kurs in ${currency} umgerechnet. `
        : '') +
      `Jeder Betrag ist einmal gerundet, bei seiner Position. Beleg ${id}.`,
    theInvoice: (id) => `die Rechnung ${id}`,
    correction: (corrected) =>
      `Nur geänderte Positionen sind aufgeführt. „Bisher berechnet“ ist, was ${corrected} und frühere Korrekturen zusammen berechnet ` +
      `haben; von Hand ausgestellte Rechnungskorrekturen zählen nicht mit. „Differenz“ ist, was dieser Beleg hinzufügt. ` +
      `${corrected} selbst bleibt unverändert.`,
    creditNote: (credited) =>
      `Nur Positionen mit Gutschrift sind aufgeführt. „Vorher“ ist der Betrag der Position von ${credited} ohne Steuer, einschließlich ` +
      `Korrekturen und früherer Gutschriften; „Gutgeschrieben“ zieht dieser Beleg davon ab. ${credited} selbst bleibt unverändert.`,
    invoiceVoid:
      'Diese Rechnung wurde mit allen Korrekturen zurückgenommen. Sie ist so gezeigt, wie sie ausgestellt wurde, und ist weder Forderung noch Guthaben.',
    correctionVoid:
      'Dieser Beleg wurde mit der Rechnung zurückgenommen, zu der er gehört. Er ist so gezeigt, wie er ausgestellt wurde, und ist weder Forderung noch Guthaben.',
    noClaim: 'Mit diesem Beleg wird keine Zahlung verlangt.',
    noPayment: 'Zu diesem Beleg ist nichts zu zahlen.',
    credited: (amount) => `Es ist nichts zu zahlen: Dieser Beleg schreibt Ihnen ${amount} gut.`,
    pay: ({ amount, day, number }) => `Bitte zahlen Sie ${amount} bis ${day} und geben Sie ${number} an.`,
    account: ({ iban, holder }) => `IBAN ${iban}, Kontoinhaber ${holder}`,
    questions: (email) => `Fragen: ${email}.`,
  },
};
