import type { Invoice } from '../../domain/invoicing/invoice.js';
import type { Itemisation } from '../../domain/invoicing/presentation.js';
import { sectionsOf } from '../../domain/invoicing/sections.js';
import { sectionToWire } from '../../domain/invoicing/sections-to-wire.js';

/** As the customer reads it. @param itemisation by default the document's own */
export function sectionsToWire(invoice: Invoice, itemisation: Itemisation | undefined): readonly object[] {
  return sectionsOf(invoice, itemisation).map((section) => sectionToWire(section, invoice.currency));
}
