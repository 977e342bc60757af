/**
 * The first invoice, and its first correction: 1,234 API calls of January 2024 on a tiered price, sent twice over and out of
 * order, become 118.72. Then a call of January arrives late: after the customer's quiet time a correction of 0.08 follows by
 * itself. Both are verified from the raw events, and the whole chain is reconciled.
 *
 *     node examples/first-invoice/run.mjs            against http://127.0.0.1:8080, or RECKONER_URL
 *
 * Safe to run again: the same meter, price book and customer, the same events (duplicates then), the same documents.
 */
import { pathToFileURL } from 'node:url';

const customerId = 'acme';
const period = '2024-01';

const meter = { code: 'api_calls', event_type: 'api_call', aggregation: 'count', window: 'hour' };

const priceBook = {
  code: 'standard',
  version: 'v1',
  currency: 'USD',
  effective_from: '2024-01-01T00:00:00Z',
  prices: [
    {
      meter: 'api_calls',
      model: 'tiered',
      tiers: [
        { up_to: '1000', unit_price: '0.10' },
        { up_to: null, unit_price: '0.08' },
      ],
    },
  ],
};

const customer = {
  name: 'Acme Inc.',
  currency: 'USD',
  time_zone: 'UTC',
  price_book: 'standard',
  // Late usage is gathered this long, so that many late events make one correction. An hour is the default.
  late_usage_quiet_time: 'PT1S',
  buyer: { address: '12 Analytical Lane, London', email: 'billing@acme.example' },
};

const calls = 1234;
const monthMs = 31 * 86_400_000;

/** Calls spread evenly over January, from its first millisecond to its last. */
function januaryCalls() {
  const start = Date.UTC(2024, 0, 1);
  return Array.from({ length: calls }, (_, index) => ({
    event_id: `call-${index + 1}`,
    customer_id: customerId,
    event_type: 'api_call',
    event_time: new Date(start + Math.floor((index * (monthMs - 1)) / (calls - 1))).toISOString(),
    metadata: { region: index % 3 === 0 ? 'us' : 'eu' },
  }));
}

/** The same disorder every time: a shuffle (Fisher-Yates) drawn from a linear congruential generator. */
function shuffled(items, seed = 42) {
  const result = [...items];
  let state = seed;
  for (let last = result.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (last + 1);
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}

function inBatches(items, size) {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** One request; anything but success is an error with the server's own words. */
async function call(url, method = 'GET', body = undefined) {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${url}: ${answer.code ?? response.status} ${answer.detail ?? ''}`);
  return answer;
}

/** Asks `ask` until `done` says that the answer is the one. */
async function until(ask, done, what) {
  const end = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    if (Date.now() > end) throw new Error(`${what}: not after a minute; last answer ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/**
 * @param {string} api for instance http://127.0.0.1:8080
 * @returns {Promise<{ invoice: object, charges: readonly object[], sent: { accepted: number, duplicates: number } }>}
 */
export async function firstInvoice(api) {
  // What is counted, what it costs, who pays.
  await call(`${api}/meters`, 'POST', meter);
  await call(`${api}/price-books`, 'POST', priceBook);
  await call(`${api}/customers/${customerId}`, 'PUT', customer);

  // Every call is sent twice, in two different disorders: what is delivered twice counts once.
  const events = januaryCalls();
  const deliveries = [...shuffled(events, 1), ...shuffled(events, 2)];
  const sent = { accepted: 0, duplicates: 0 };
  for (const batch of inBatches(deliveries, 500)) {
    const { accepted, duplicates, rejected, results } = await call(`${api}/events`, 'POST', batch);
    if (rejected > 0) throw new Error(`events were rejected: ${JSON.stringify(results.slice(0, 3))}`);
    sent.accepted += accepted;
    sent.duplicates += duplicates;
  }

  // January would be invoiced by itself one hour after the last arrival; this is now. Done before: nothing to close.
  const { invoice_id: earlier } = await call(`${api}/billing-periods/${customerId}/${period}`);
  if (!earlier) await call(`${api}/billing-periods/${customerId}/${period}/close`, 'POST', {});
  const { invoice_id: invoiceId } = await until(
    () => call(`${api}/billing-periods/${customerId}/${period}`),
    ({ stage, invoice_id: id }) => {
      if (stage === 'held') throw new Error(`the invoice is held; see ${api}/findings?customer_id=${customerId}`);
      return Boolean(id);
    },
    'the invoice',
  );
  const invoice = await call(`${api}/invoices/${invoiceId}`);

  // The explanation: from the invoice's lines to the charges they bill.
  const ids = invoice.lines.flatMap((line) => line.charge_ids);
  const charges = await Promise.all(ids.map((id) => call(`${api}/charges/${id}`)));
  return { invoice, charges, sent };
}

/**
 * One more call of January, learned after the invoice. What it costs is the next unit of the second tier.
 * @param {string} api
 * @param {object} invoice the one it comes too late for
 * @returns {Promise<object | null>} the correction; null: the invoice has the call already (it replaces a voided one)
 */
export async function lateCorrection(api, invoice) {
  const late = { ...januaryCalls()[0], event_id: 'call-late', event_time: '2024-01-20T12:00:00Z' };
  await call(`${api}/events`, 'POST', late);
  const { usage, detail } = await until(
    async () => ({
      usage: await call(`${api}/customers/${customerId}/usage?period=${period}`),
      detail: await call(`${api}/invoices/${invoice.invoice_id}`),
    }),
    // Final: nothing has come that no document bills.
    ({ usage: { finality } }) => finality === 'final',
    'the correction',
  );
  const [id] = detail.corrected_by;
  return usage.finality === 'final' && id !== undefined ? call(`${api}/invoices/${id}`) : null;
}

/** Events = aggregates = charges = lines = journal, for this customer. */
export async function reconciled(api) {
  const { run_id: id } = await call(`${api}/reconciliations`, 'POST', { customer_ids: [customerId] });
  return until(
    () => call(`${api}/reconciliations/${id}`),
    ({ status }) => status === 'finished',
    'the reconciliation',
  );
}

/** The document, computed again from the raw events. */
export const verified = (api, invoice) => call(`${api}/invoices/${invoice.invoice_id}/verify`);

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const api = process.env.RECKONER_URL ?? 'http://127.0.0.1:8080';
  const { invoice, charges, sent } = await firstInvoice(api);
  console.log(`${sent.accepted} events accepted, ${sent.duplicates} duplicates`);
  console.log(`${invoice.number}: ${invoice.total} ${invoice.currency}`);
  for (const { amount, calculation } of charges) console.log(`  ${calculation.formula} = ${amount}`);
  const correction = await lateCorrection(api, invoice);
  if (correction !== null)
    console.log(`${correction.number} corrects ${invoice.number}: ${correction.total} ${correction.currency}`);
  const { periods, different } = await reconciled(api);
  console.log(`reconciliation: ${periods} periods, ${different} different`);
  for (const document of [invoice, correction].filter(Boolean)) {
    const { number, verified: holds } = await verified(api, document);
    console.log(`${number}: ${holds ? 'verified' : 'NOT VERIFIED'}`);
  }
}
