import { billingPeriodWorkflowId } from '../../src/contracts/names.js';
import { searchAttributeKeys } from '../../src/contracts/search-attributes.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import type { LocalDate } from '../../src/domain/values.js';

const period = '2024-01-01' as LocalDate;

test('the typed keys are the search attributes that operators know by name', () => {
  const typed = Object.fromEntries(searchAttributeKeys.map(({ name, type }) => [name, type]));
  expect(typed).toEqual({
    CustomerId: 'KEYWORD',
    BillingPeriod: 'KEYWORD',
    BillingStage: 'KEYWORD',
    InvoiceNumber: 'KEYWORD',
    NeedsAttention: 'BOOL',
  });
});

test.each([
  ['acme', 'billing-period/acme/2024-01-01'],
  ['a/b c%', 'billing-period/a%2Fb%20c%25/2024-01-01'],
  ['Ü', 'billing-period/%C3%9C/2024-01-01'],
])('the workflow id of %s reads as the customer', (customerId, id) => {
  expect(billingPeriodWorkflowId(customerId, period)).toBe(id);
});

test('ids of the longest customers stay below 255 characters, and apart', () => {
  const face = '\u{1F600}';
  const customers = [
    'x'.repeat(128),
    '/'.repeat(128),
    face.repeat(64),
    `${face.repeat(63)}ab`,
    `${face.repeat(63)}ac`,
    // Halves of a surrogate pair, which percent-encoding alone would refuse.
    '\ud83d',
    '\ude00',
    '\ufffd',
  ];
  const ids = customers.map((customerId) => billingPeriodWorkflowId(customerId, period));
  expect(new Set(ids).size).toBe(customers.length);
  for (const id of ids) expect(id.length).toBeLessThan(255);
});

test('the summary of the longest customer stays within the 400 bytes that the server takes', () => {
  const { staticSummary } = billingPeriodStart('\u{1F600}'.repeat(64), period);
  expect(Buffer.byteLength(staticSummary)).toBeLessThanOrEqual(400);
});
