/**
 * Numbers have no gap and no double, and an invoice is issued once (RULES 59): with many issuers at once, with transactions that
 * fail after their number was drawn, and with a worker or a database connection that dies at each step of issuing.
 *
 * SEED=… repeats which transactions fail.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import pg from 'pg';
import { issueInvoice, issueInvoices } from '../../src/activities/issue-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { createStorage } from '../../src/storage/index.js';
import type { InvoicingRequest, Storage } from '../../src/storage/types.js';
import { createActivityFixture, issuedAt } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { ReRatingFixture } from '../activities/re-rating-fixture.js';
import { randomFrom } from '../end-to-end/support/usage.js';
import { allSteps, hittingAt, tablesOfIssuing } from './support/issuing-steps.js';
import type { IssuingStep } from './support/issuing-steps.js';
import { settings } from './support/issuing-settings.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const entities = ['default', 'acme-de', 'acme-fr'] as const;

let fixture: ActivityFixture;
/** Processes that issue: each with connections and locks of its own. */
let issuers: readonly Storage[];
beforeEach(async () => {
  fixture = await createActivityFixture();
  for (const code of entities.slice(1)) {
    const entity = { code, numberPrefix: code.toUpperCase(), seller: { name: code } };
    await fixture.storage.numbering.putEntity(entity, 'ann');
  }
  issuers = Array.from({ length: 3 }, () => createStorage(fixture.url, { connections: 4 }));
});
afterEach(async () => {
  await Promise.all(issuers.map((storage) => storage.close()));
  await fixture.close();
});

const issueWith = (storage: Storage, request: InvoicingRequest) =>
  issueInvoice({ storage, client: {} as Client, settings, now: () => issuedAt }, request);

/** In one transaction. */
const issueTogether = (storage: Storage, requests: readonly InvoicingRequest[]) =>
  issueInvoices({ storage, client: {} as Client, settings, now: () => issuedAt }, requests);

async function customer(customerId: string, legalEntity: string = 'default'): Promise<InvoicingRequest> {
  await fixture.addCustomer(customerId, { legalEntity });
  await fixture.addCalls(customerId, 3);
  return fixture.request(customerId, randomUUID());
}

async function documents(): Promise<readonly Invoice[]> {
  const all: Invoice[] = [];
  let cursor: string | null = null;
  do {
    const page = await fixture.storage.billing.listInvoices({}, { limit: 100, ...(cursor !== null && { cursor }) });
    all.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}

/** Of each series 1 to the number of its documents, each once; and the numbers are those. */
async function expectGapless(expected: Readonly<Record<string, number>>): Promise<void> {
  const checked = await fixture.storage.numbering.checkNumbers();
  expect(Object.fromEntries(checked.map(({ printed, documents: count }) => [printed, count]))).toEqual(expected);
  expect(checked.filter(({ holds }) => !holds)).toEqual([]);
  const numbers = Object.entries(expected).flatMap(([printed, count]) =>
    Array.from({ length: count }, (_, index) => `${printed}-${String(index + 1).padStart(6, '0')}`),
  );
  expect((await documents()).map(({ number }) => number).sort()).toEqual(numbers.sort());
}

test('two and more issuers of the same invoice, by one request and by several, issue it once', async () => {
  const request = await customer('acme');
  const other = await fixture.request('acme', randomUUID());
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, index) => issueWith(pick(index), index % 2 === 0 ? request : other)),
  );
  expect(outcomes.filter(({ outcome }) => outcome === 'issued')).toHaveLength(1);
  expect(new Set(outcomes.map(({ number }) => number))).toEqual(new Set(['INV-000001']));
  await expectGapless({ INV: 1 });
});

const pick = (index: number): Storage => issuers[index % issuers.length] ?? fixture.storage;

test('many issuers of invoices and corrections of the same and of different series at once leave no gap', async () => {
  const books = new ReRatingFixture(fixture);
  const corrected = await Promise.all(
    entities.flatMap((legalEntity) => [1, 2].map(() => books.invoicedCustomer(2, { legalEntity }))),
  );
  for (const id of corrected) await fixture.addCalls(id, 2, '2024-01-12T00:00:00Z');
  const requests: InvoicingRequest[] = [];
  for (let index = 0; index < 30; index += 1) requests.push(await customer(`c-${index}`, entities[index % 3]));
  await Promise.all([
    ...requests.map((request, index) => issueWith(pick(index), request)),
    ...corrected.map((id) => books.reRate(id)),
  ]);
  await expectGapless({
    ...{ INV: 12, COR: 2 },
    ...{ 'ACME-DE-INV': 12, 'ACME-DE-COR': 2, 'ACME-FR-INV': 12, 'ACME-FR-COR': 2 },
  });
});

test('groups at once, of the same customers and of several periods of theirs, neither wait in a circle nor issue twice', async () => {
  const ids = Array.from({ length: 6 }, (_, index) => `c-${index}`);
  const january = await Promise.all(ids.map((id, index) => customer(id, entities[index % 2])));
  const february = await Promise.all(ids.map((id) => fixture.request(id, randomUUID(), '2024-02-01')));
  const groups = [january, february, january.slice(0, 4), february.slice(2), january, february];
  const outcomes = await Promise.all(groups.map((group, index) => issueTogether(pick(index), group)));
  expect(outcomes.flat().filter(({ outcome }) => outcome === 'issued')).toHaveLength(12);
  await expectGapless({ INV: 6, 'ACME-DE-INV': 6 });
});

test('transactions that fail after their number was drawn give it back, however many fail', async () => {
  const random = randomFrom(seed);
  const requests = await Promise.all(
    Array.from({ length: 24 }, (_, index) => customer(`c-${index}`, entities[index % 2])),
  );
  const after = allSteps.slice(allSteps.indexOf('the number is drawn'), -1);
  let failures = 0;
  const untilIssued = async (request: InvoicingRequest, index: number): Promise<void> => {
    for (let left = Math.floor(random() * 4); left > 0; left -= 1) {
      const step = after[Math.floor(random() * after.length)] as IssuingStep;
      const failing = hittingAt(pick(index), step, () => Promise.reject(new Error(`failed when ${step}`)));
      await expect(issueWith(failing, request)).rejects.toThrow('failed when');
      failures += 1;
    }
    await issueWith(pick(index), request);
  };
  await Promise.all(requests.map(untilIssued));
  expect(failures).toBeGreaterThan(0);
  await expectGapless({ INV: 12, 'ACME-DE-INV': 12 });
});

test('a void keeps its number, and the replacement gets the next one', async () => {
  await issueWith(pick(0), await customer('acme'));
  const [invoice] = await documents();
  if (invoice === undefined) throw new Error('no invoice');
  await voidInvoice(fixture.storage, invoice, { actor: 'ann', reason: 'a test', now: issuedAt });
  await issueWith(pick(0), await fixture.request('acme', randomUUID()));
  await expectGapless({ INV: 2 });
});

/** Of one transaction; the first two in one series. */
const threeCustomers = (): Promise<readonly InvoicingRequest[]> =>
  Promise.all([customer('acme-1'), customer('acme-2'), customer('acme-3', 'acme-de')]);

/** After whatever died: the requests are taken up again, beside another customer whose number must not be missing either. */
async function expectOnce(requests: readonly InvoicingRequest[]): Promise<void> {
  await Promise.all([issueTogether(pick(0), requests), issueWith(pick(1), await customer('another'))]);
  for (const { outcome } of await issueTogether(pick(2), requests)) expect(outcome).toBe('already_invoiced');
  await expectGapless({ INV: 3, 'ACME-DE-INV': 1 });
  for (const { customerId, requestId } of requests) {
    const { data } = await fixture.storage.journal.entries({ customerId }, { limit: 10 });
    expect(data).toHaveLength(1);
    const { rows } = await query(`SELECT outcome FROM invoicing_outcomes WHERE request_id = '${requestId}'`);
    expect(rows).toEqual([{ outcome: 'issued' }]);
  }
}

async function query(sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client(fixture.url);
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Whoever waits in a trap waits for it. */
const trapLock = 7_301_999;

/** On the server: the first time that this happens, the backend that does it ends, or waits for `trapLock`. */
async function setTrap(what: 'end' | 'wait', when: string): Promise<void> {
  const act =
    what === 'end'
      ? 'PERFORM pg_terminate_backend(pg_backend_pid())'
      : `PERFORM pg_advisory_xact_lock_shared(${trapLock})`;
  await query(`CREATE SEQUENCE traps; CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('traps') = 1 THEN ${act}; END IF; RETURN NULL; END $$; ${when}`);
}

describe('the database connection is killed', () => {
  const onTable = (table: string) =>
    `CREATE TRIGGER trap AFTER INSERT OR UPDATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION trap()`;
  const atCommit = `CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON invoicing_outcomes DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION trap()`;

  test.each([
    ...tablesOfIssuing.map((table) => [`when ${table} is written`, onTable(table)] as const),
    ['at the commit', atCommit] as const,
  ])('%s', async (_, trap) => {
    const requests = await threeCustomers();
    await setTrap('end', trap);
    await expect(issueTogether(pick(0), requests)).rejects.toThrow();
    expect((await query('SELECT last_value, is_called FROM traps')).rows).toEqual([
      { last_value: '1', is_called: true },
    ]);
    expect(await documents()).toEqual([]);
    await expectOnce(requests);
  });
});

describe('the worker is killed (-9)', () => {
  const program = join(process.cwd(), 'test', 'proofs', 'support', 'issuing-process.ts');

  function startWorker(requests: readonly InvoicingRequest[], step: IssuingStep | ''): ReturnType<typeof spawn> {
    const child = spawn(process.execPath, ['--import', 'tsx', program, fixture.url, step], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin?.end(JSON.stringify(requests));
    return child;
  }

  test.each(allSteps)('when %s', async (step) => {
    const requests = await threeCustomers();
    const [, signal] = (await once(startWorker(requests, step), 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    const isDone = step === 'the transaction has committed';
    expect(await documents()).toHaveLength(isDone ? 3 : 0);
    await expectOnceAfter(requests, isDone);
  });

  test('while its commit is under way: the server ends what it was told', async () => {
    const requests = await threeCustomers();
    await setTrap(
      'wait',
      `CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON invoicing_outcomes DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION trap()`,
    );
    const holder = new pg.Client({ connectionString: fixture.url });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock($1)', [trapLock]);
    const child = startWorker(requests, '');
    const ended = once(child, 'exit');
    const trapped = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${trapLock} AND NOT granted`;
    while ((await holder.query(trapped)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGKILL');
    await ended;
    await holder.query('SELECT pg_advisory_unlock($1)', [trapLock]);
    // The trap's is released with the end of the transaction.
    await holder.query('SELECT pg_advisory_lock($1)', [trapLock]);
    await holder.end();
    await expectOnceAfter(requests, true);
  });

  /** Where it was issued before, taking it up again changes nothing. */
  async function expectOnceAfter(requests: readonly InvoicingRequest[], isDone: boolean): Promise<void> {
    if (!isDone) return expectOnce(requests);
    const before = await documents();
    for (const { outcome } of await issueTogether(pick(0), requests)) expect(outcome).toBe('already_invoiced');
    expect(await documents()).toEqual(before);
    await expectGapless({ INV: 2, 'ACME-DE-INV': 1 });
  }
});
