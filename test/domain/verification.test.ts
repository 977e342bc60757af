/** A document held against what its facts give: before it is issued, and ever after. */
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { invoiceEntry } from '../../src/domain/ledger/invoice-entry.js';
import type { RatedCharge, RatedLine } from '../../src/domain/rating/rating.js';
import { chainHolds } from '../../src/domain/reconciliation/chain-holds.js';
import type { MeterUsage } from '../../src/domain/reconciliation/usage.js';
import { verifyDocument } from '../../src/domain/reconciliation/verify-document.js';
import {
  changed,
  money,
  digest,
  usage,
  rated,
  charges,
  invoice,
  day,
  present,
  entry,
  eu,
  us,
  total,
} from './support/reconciled-chain.js';

describe('the chain before a document is issued', () => {
  const [euCharge, usCharge] = [present(charges[0]), present(charges[1])];
  const [euLine, usLine] = [present(rated.lines[0]), present(rated.lines[1])];
  const stages = { usage, charges, lines: rated.lines };

  test('holds for what was rated, with retired charges too', () => {
    expect(chainHolds(stages)).toEqual({ holds: true, differences: [] });
    const retired: RatedCharge = {
      ...euCharge,
      group: { region: 'ap' },
      quantity: money('0'),
      amount: money('0'),
      eventCount: 0,
      digest: digest(''),
    };
    expect(chainHolds({ ...stages, charges: [...charges, retired] }).holds).toBe(true);
    expect(chainHolds({ usage: [], charges: [], lines: [] }).holds).toBe(true);
  });

  const broken: readonly (readonly [
    string,
    { usage?: readonly MeterUsage[]; charges?: readonly RatedCharge[]; lines?: readonly RatedLine[] },
    string,
  ])[] = [
    ['usage without a charge', { usage: [...usage, { ...total, meter: 'bytes' }] }, 'missing'],
    ['a charge without usage', { usage: usage.slice(1) }, 'duplicate'],
    ['another digest', { charges: [{ ...euCharge, digest: digest('7') }, usCharge] }, 'disagreement'],
    ['a charge without a line', { lines: [euLine] }, 'missing'],
    ['a line without a charge', { usage: usage.slice(0, 1), charges: [euCharge] }, 'duplicate'],
    ['another quantity on the line', { lines: [{ ...euLine, quantity: money('99') }, usLine] }, 'disagreement'],
    ['another amount on the line', { lines: [{ ...euLine, amount: money('1.52') }, usLine] }, 'large_gap'],
  ];
  test.each(broken)('%s breaks it', (_, change, its) => {
    const { holds, differences } = chainHolds({ ...stages, ...change });
    expect(holds).toBe(false);
    expect(differences.map(({ class: found }) => found)).toEqual([its]);
  });
});

describe('a document verified', () => {
  const facts = {
    invoice,
    earlier: [],
    rated,
    charges: charges.map((charge, index) => ({ ...charge, chargeId: `charge-${index}` })),
    entries: [entry],
    documentHash: 'hash',
  };

  test('is what its facts give', () => {
    const verification = verifyDocument(facts);
    expect(verification).toMatchObject({
      verified: true,
      number: 'INV-000001',
      total: { expected: '1.54', found: '1.54', difference: '0' },
      document_hash: { verified: true },
      journal: { verified: true, receivable: '1.54' },
      problems: [],
    });
    expect(verification.lines.map((line) => [line.expected, line.found, line.difference])).toEqual([
      ['1.5', '1.5', '0'],
      ['0.04', '0.04', '0'],
    ]);
    expect(verification.charges.map(({ verified }) => verified)).toEqual([true, true]);
  });

  test('a correction is what is left of the cumulative after the documents before it', () => {
    const line = { ...eu, amount: money('0.5'), originalAmount: money('1'), correctedAmount: money('1.5') };
    const correction: Invoice = {
      ...invoice,
      type: 'correction',
      correctsInvoiceId: 'invoice-0',
      chainPlace: 2,
      subtotal: money('0.5'),
      total: money('0.5'),
      lines: [line],
    };
    const earlier = [{ ...invoice, lines: [{ ...eu, amount: money('1') }, us] }];
    const entries = [present(invoiceEntry(correction, day))];
    expect(
      verifyDocument({ ...facts, invoice: correction, earlier, entries, charges: facts.charges.slice(0, 1) }).verified,
    ).toBe(true);
    const alone = verifyDocument({ ...facts, invoice: correction, earlier: [], entries });
    expect(alone.verified).toBe(false);
    expect(alone.lines.map(({ expected, found }) => [expected, found])).toEqual([
      ['1.5', '0.5'],
      ['0.04', '0'],
    ]);
  });

  const forged: readonly (readonly [string, Partial<Parameters<typeof verifyDocument>[0]>])[] = [
    ['a line of another amount', { invoice: { ...changed('1.6'), total: money('1.64') } }],
    ['a line that is missing', { invoice: { ...invoice, lines: [eu] } }],
    ['a total that is not the sum', { invoice: { ...invoice, total: money('1.55') } }],
    ['a line of another quantity', { invoice: { ...invoice, lines: [{ ...eu, quantity: money('99') }, us] } }],
    ['another content than was hashed', { documentHash: 'other' }],
    ['a charge with another digest', { charges: facts.charges.map((charge) => ({ ...charge, digest: digest('9') })) }],
    ['a charge that is not named', { charges: facts.charges.slice(1) }],
    ['no journal entry', { entries: [] }],
    [
      'facts that cannot be billed',
      { rated: { ...rated, problems: [{ code: 'UNPRICED_METER', meter: 'calls', group: {}, detail: 'No price.' }] } },
    ],
  ];
  test.each(forged)('%s does not verify', (_, change) => {
    expect(verifyDocument({ ...facts, ...change }).verified).toBe(false);
  });
});
