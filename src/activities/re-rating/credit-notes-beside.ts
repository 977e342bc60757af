import type { Invoice } from '../../domain/invoicing/invoice.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { CreditNote } from '../../domain/settlement/credit-note.js';
import type { NewFinding } from '../../storage/types.js';

/**
 * A correction does not see credit notes by hand (RULES 49): whoever has credited already what it takes back has credited it
 * twice, and only a person can tell. null: there is no such note.
 */
export function creditNotesBeside(
  { invoiceId, number, customerId, period, currency, subtotal, total }: Invoice,
  original: Pick<Invoice, 'number'>,
  notes: readonly CreditNote[],
): NewFinding | null {
  if (notes.length === 0) return null;
  const amount = (value: Invoice['total']): string => `${formatAmount(value, currency)} ${currency}`;
  const said = notes.map((note) => `${note.number} (${amount(note.total)}, without tax ${amount(note.subtotal)})`);
  const isOne = said.length === 1;
  return {
    code: 'CREDIT_NOTE_BESIDE_CORRECTION',
    customerId,
    period,
    subject: {
      customer_id: customerId,
      period,
      invoice_id: invoiceId,
      credit_notes: notes.map((note) => ({
        number: note.number,
        total: note.total,
        line_keys: note.lines.map(({ lineKey }) => lineKey),
      })),
    },
    detail:
      `${number} changes ${original.number} by ${amount(total)} (without tax ${amount(subtotal)}), and ${said.join(', ')} ` +
      `${isOne ? 'stands' : 'stand'} beside it: a correction does not count credit notes by hand. ` +
      `Where both credit the same, it is credited twice.`,
  };
}
