/** Credit notes by hand on documents, one after the other. */
import { addDecimals } from '../../../src/domain/decimal.js';
import { creditableLines, creditNoteAmounts } from '../../../src/domain/settlement/credit-note.js';
import type { CreditNoteAmounts } from '../../../src/domain/settlement/credit-note.js';
import type { CreditedDocument, CreditedSoFar } from '../../../src/domain/settlement/credit-room.js';
import type { DecimalString } from '../../../src/domain/values.js';

const zero = '0' as DecimalString;
export const nothingCredited: CreditedSoFar = { byLine: new Map(), subtotal: zero, tax: zero };

/** A chain and what was credited of it so far. */
export class CreditedChain {
  credited = nothingCredited;
  readonly notes: CreditNoteAmounts[] = [];

  constructor(readonly documents: readonly CreditedDocument[]) {}

  /** @param lines by line key; null: all that can be credited of the line */
  credit(...lines: readonly (readonly [key: string, amount: string | null])[]): CreditNoteAmounts {
    const items = this.documents.flatMap((document) => document.lines);
    const asked = lines.map(([key, amount]) => ({
      lineItemId: items.find(({ lineKey }) => lineKey === key)?.lineItemId ?? key,
      amount: amount as DecimalString | null,
      ...({ reasonCode: 'goodwill', reason: null } as const),
    }));
    const note = creditNoteAmounts(this.documents, { credited: this.credited, lines: asked });
    const byLine = new Map(this.credited.byLine);
    for (const { lineKey, amount } of note.lines)
      byLine.set(lineKey, addDecimals([byLine.get(lineKey) ?? zero, amount]));
    this.credited = {
      byLine,
      subtotal: addDecimals([this.credited.subtotal, note.subtotal]),
      tax: addDecimals([this.credited.tax, note.tax]),
    };
    this.notes.push(note);
    return note;
  }

  /** What `GET /invoices/{id}` offers, by line key; lines of which nothing can be credited are left out. */
  offered(): Readonly<Record<string, DecimalString>> {
    return Object.fromEntries(
      creditableLines(this.documents, this.credited)
        .filter(({ creditable }) => creditable !== '0')
        .map(({ lineKey, creditable }) => [lineKey, creditable]),
    );
  }

  /** What the documents ask for in all. */
  get asked(): DecimalString {
    return addDecimals(this.documents.map(({ total }) => total));
  }

  get given(): DecimalString {
    return addDecimals(this.notes.map(({ total }) => total));
  }
}
