/** A line is described by its meter and its group; a section by its meter alone. */
import { describeLine } from '../../src/domain/invoicing/build-invoice.js';
import type { InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import { sectionsOf } from '../../src/domain/invoicing/sections.js';
import { sampleInvoice, sampleLine } from './invoices.js';

const name = 'Bytes out (raw)';

/** As it is read back: jsonb has an order of its own. */
function storedLine(group: InvoiceLineItem['group'], lineItemId: string): InvoiceLineItem {
  const stored = Object.fromEntries(Object.entries(group).reverse());
  return sampleLine({ lineItemId, meter: 'bytes_out', description: describeLine(name, group), group: stored });
}

test.each<InvoiceLineItem['group']>([
  {},
  { region: 'eu' },
  { region: 'eu (west)', tier: null },
  { region: 'a (region: b)' },
  { tier: ') (', region: ' (tier: x' },
])('the group %j stays out of the title', (group) => {
  const line = storedLine(group, 'first');
  const lines = [line, storedLine({ ...group, region: 'us' }, 'second')];
  expect(sectionsOf(sampleInvoice({ lines }), 'group').map(({ title }) => title)).toEqual([name]);
  for (const shown of [lines, [line]]) {
    const [section] = sectionsOf(sampleInvoice({ lines: shown }), 'meter');
    expect(section?.rows.map(({ description }) => description)).toEqual([name]);
  }
});

test('what is not described by its group is called by its meter', () => {
  const line = sampleLine({ meter: 'bytes_out', description: 'something', group: { region: 'eu' } });
  expect(sectionsOf(sampleInvoice({ lines: [line] }), 'group').map(({ title }) => title)).toEqual(['bytes_out']);
});
