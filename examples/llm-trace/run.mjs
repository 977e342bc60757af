#!/usr/bin/env node
/**
 * Bills a trace of LLM requests on a running Reckoner and holds every invoice line against the oracle: meters, price book
 * and customers are created, the file is imported with the command line, the months are closed, the invoices fetched.
 * Exit code 1 when any amount differs by a cent.
 *
 *   node examples/llm-trace/run.mjs FILE [--prefix llm_customer_]        (RECKONER_URL: the API's address)
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { computeOracle } from '../../test/oracle/llm-trace-oracle.mjs';

const setup = (name) =>
  JSON.parse(readFileSync(new URL(`../../test/oracle/llm-trace-${name}.json`, import.meta.url), 'utf8'));
const customers = setup('customers');

const { values, positionals } = parseArgs({
  options: { prefix: { type: 'string', default: customers.id_prefix } },
  allowPositionals: true,
});
const [file] = positionals;
if (file === undefined || positionals.length > 1) {
  process.stderr.write('usage: run.mjs FILE [--prefix PREFIX]\n');
  process.exit(2);
}
const { prefix } = values;
const url = process.env.RECKONER_URL ?? 'http://127.0.0.1:8080';
const closingAtOnce = 4;
const closeWaitMs = 120_000;

async function call(method, path, body) {
  const headers = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method === 'POST') headers['idempotency-key'] = randomUUID();
  const answer = await fetch(`${url}${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  const json = await answer.json();
  if (!answer.ok)
    throw Object.assign(new Error(`${method} ${path}: ${json.code}: ${json.detail}`), { code: json.code });
  return json;
}

/** All of it may exist already, from an earlier run. */
async function createSetup() {
  for (const meter of setup('meters')) await call('POST', '/meters', meter);
  await call('POST', '/price-books', setup('price-book'));
  for (let n = 0; n < customers.count; n += 1) {
    const facts = { ...customers.facts, name: `${customers.facts.name} ${n}` };
    await call('PUT', `/customers/${encodeURIComponent(`${prefix}${n}`)}`, facts);
  }
}

function importTrace() {
  const reckoner = fileURLToPath(new URL('../../bin/reckoner.js', import.meta.url));
  const args = [
    ...[reckoner, 'import', file, '--url', url, '--json', '--no-state'],
    ...['--customer', `${prefix}{row%${customers.count}}`, '--event-type', 'llm_request'],
    ...['--time', 'TIMESTAMP', '--assume-utc', '--source', 'llm-trace'],
    ...['--value', 'input_tokens=ContextTokens', '--value', 'output_tokens=GeneratedTokens'],
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`reckoner import ended with ${code}\n${out}`)),
    );
  });
}

/** The period's invoice; it may have been issued by an earlier run. */
async function closePeriod(customer, period) {
  const path = `/billing-periods/${encodeURIComponent(customer)}/${period}`;
  const deadline = Date.now() + closeWaitMs;
  let state = await call('POST', `${path}/close`, {}).catch((error) => {
    if (error.code === 'PERIOD_ALREADY_INVOICED') return call('GET', path);
    throw error;
  });
  while (state.invoice_id === null) {
    if (state.stage === 'held') throw new Error(`${customer} ${period}: the invoice is held; see GET /findings`);
    if (Date.now() > deadline)
      throw new Error(`${customer} ${period}: still ${state.stage} after ${closeWaitMs / 1000} s`);
    await sleep(200);
    state = await call('GET', path);
  }
  return call('GET', `/invoices/${state.invoice_id}`);
}

async function closeAll(expected) {
  const open = expected.flatMap(({ period, customers: list }) => list.map((invoice) => ({ period, invoice })));
  const invoices = new Map();
  const closeNext = async () => {
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      const { period, invoice } = next;
      invoices.set(`${period} ${invoice.customer_id}`, await closePeriod(invoice.customer_id, period));
    }
  };
  await Promise.all(Array.from({ length: closingAtOnce }, closeNext));
  return invoices;
}

/** What differs, as sentences. */
function differences(period, expected, invoice) {
  const found = [];
  const check = (what, want, got) => {
    if (want !== got) found.push(`${period} ${expected.customer_id} ${what}: expected ${want}, invoiced ${got}`);
  };
  for (const line of expected.lines) {
    const lines = invoice.lines.filter(({ meter }) => meter === line.meter);
    check(`${line.meter} lines`, 1, lines.length);
    check(`${line.meter} quantity`, line.quantity, lines[0]?.quantity);
    check(`${line.meter} amount`, line.amount, lines[0]?.amount);
  }
  check('lines', expected.lines.length, invoice.lines.length);
  check('total', expected.total, invoice.total);
  return found;
}

const oracle = await computeOracle(file, prefix);
await createSetup();
const imported = await importTrace();
const closingFrom = Date.now();
const invoices = await closeAll(oracle.months);
const closingMs = Date.now() - closingFrom;

const found = [];
for (const { period, total, customers: list } of oracle.months) {
  process.stdout.write(`\n${period}\n`);
  for (const expected of list) {
    const invoice = invoices.get(`${period} ${expected.customer_id}`);
    found.push(...differences(period, expected, invoice));
    const figures = expected.lines.map(({ meter, quantity, amount }) => `${meter} ${quantity} = ${amount}`).join(', ');
    const row = `  ${invoice.number}  ${expected.customer_id.padEnd(prefix.length + 3)} ${figures}, total ${invoice.total}`;
    process.stdout.write(`${row}\n`);
  }
  process.stdout.write(`  oracle's total of the month: ${total} ${oracle.currency}\n`);
}
const seconds = imported.durationMs / 1000;
process.stdout.write(
  `\n${imported.rows} rows (${imported.accepted} new) imported in ${seconds.toFixed(2)} s, ` +
    `${Math.round(imported.rows / seconds)} a second; ${invoices.size} periods invoiced in ${(closingMs / 1000).toFixed(2)} s\n`,
);
for (const difference of found) process.stderr.write(`DIFFERENCE ${difference}\n`);
process.stdout.write(found.length === 0 ? 'Every line agrees with the oracle.\n' : `${found.length} differences.\n`);
process.exitCode = found.length === 0 ? 0 : 1;
