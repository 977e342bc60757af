#!/usr/bin/env node
/**
 * What a trace of LLM requests must cost, worked out without any of the project's code: exact integers (BigInt) from the
 * text of the file to the cent. README.md beside this file says the rules.
 *
 *   node test/oracle/llm-trace-oracle.mjs FILE [--prefix llm_customer_]
 */
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const setup = (name) => JSON.parse(readFileSync(new URL(`llm-trace-${name}.json`, import.meta.url), 'utf8'));
const priceBook = setup('price-book');
const customers = setup('customers');

/** Meter to the place of its column in a line of the file. */
const columns = { input_tokens: 1, output_tokens: 2 };
const header = 'TIMESTAMP,ContextTokens,GeneratedTokens';
const lineShape = /^(\d{4}-\d{2})-\d{2} \d{2}:\d{2}:\d{2}\.\d{7},\d+,\d+$/;

/** Prices have at most 18 decimals: as integers they are in units of 10^-18 of the currency. */
const scaleDigits = 18;
const unitsPerCent = 10n ** BigInt(scaleDigits - 2);

function scaled(decimal) {
  const match = /^(\d+)(?:\.(\d{1,18}))?$/.exec(decimal);
  if (match === null) throw new Error(`not a price: ${decimal}`);
  return BigInt(match[1] + (match[2] ?? '').padEnd(scaleDigits, '0'));
}

/** Each unit at the price of the tier it falls in; bounds are inclusive. */
function tieredPrice(quantity, tiers) {
  let amount = 0n;
  let below = 0n;
  for (const { up_to: bound, unit_price: price } of tiers) {
    const upTo = bound === null || quantity < BigInt(bound) ? quantity : BigInt(bound);
    if (upTo <= below) break;
    amount += (upTo - below) * scaled(price);
    below = upTo;
  }
  return amount;
}

/** To the nearest cent; a tie goes to the even one. */
function roundHalfEven(units) {
  const cents = units / unitsPerCent;
  const twice = (units % unitsPerCent) * 2n;
  const up = twice > unitsPerCent || (twice === unitsPerCent && cents % 2n === 1n);
  return up ? cents + 1n : cents;
}

const money = (cents) => `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;

/**
 * @param {string} file path of the trace
 * @param {string} prefix of the customers' ids
 * @returns {Promise<object>} rows, and for each month and customer its lines and total
 */
export async function computeOracle(file, prefix = customers.id_prefix) {
  const usage = new Map();
  let rows = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (rows === 0 && line === header) continue;
    if (line === '') continue;
    const month = lineShape.exec(line)?.[1];
    if (month === undefined) throw new Error(`not a line of a trace: ${line}`);
    rows += 1;
    const customer = `${prefix}${rows % customers.count}`;
    const key = `${month} ${customer}`;
    const sums = usage.get(key) ?? { events: 0, input_tokens: 0n, output_tokens: 0n };
    const fields = line.split(',');
    sums.events += 1;
    for (const [meter, place] of Object.entries(columns)) sums[meter] += BigInt(fields[place]);
    usage.set(key, sums);
  }
  const months = new Map();
  for (const [key, sums] of [...usage].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [period, customer] = key.split(' ');
    const entry = months.get(period) ?? { period, total: 0n, customers: [] };
    const { invoice, cents } = invoiceOf(customer, sums);
    entry.customers.push(invoice);
    entry.total += cents;
    months.set(period, entry);
  }
  return {
    currency: priceBook.currency,
    rows,
    months: [...months.values()].map((entry) => ({ ...entry, total: money(entry.total) })),
  };
}

function invoiceOf(customer, sums) {
  let cents = 0n;
  const lines = priceBook.prices.map(({ meter, tiers }) => {
    const amount = roundHalfEven(tieredPrice(sums[meter], tiers));
    cents += amount;
    return { meter, quantity: String(sums[meter]), amount: money(amount) };
  });
  return { invoice: { customer_id: customer, events: sums.events, lines, total: money(cents) }, cents };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({ options: { prefix: { type: 'string' } }, allowPositionals: true });
  if (positionals.length !== 1) {
    process.stderr.write('usage: llm-trace-oracle.mjs FILE [--prefix PREFIX]\n');
    process.exit(2);
  }
  process.stdout.write(`${JSON.stringify(await computeOracle(positionals[0], values.prefix), null, 2)}\n`);
}
