/** Rows in the tables that no books of the proofs write to: decisions, findings, registries, runs. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { issueCreditNote, refundCredit, writeOff } from '../../../src/billing/settlement/credit-notes.js';
import { recordPayment, reversePayment } from '../../../src/billing/settlement/payments.js';
import { reverseWriteOff } from '../../../src/billing/settlement/write-offs.js';
import { voidInvoice } from '../../../src/billing/void-invoice.js';
import { pinsOf, priceFactsOf } from '../../../src/billing/price-facts.js';
import { parsePriceBook } from '../../../src/domain/rating/parse-price-book.js';
import { priceBookToWire } from '../../../src/domain/rating/price-book-to-wire.js';
import type { PriceBookVersion } from '../../../src/domain/rating/price-book.js';
import { createActivities } from '../../../src/activities/index.js';
import { reportTaxAgain } from '../../../src/activities/report-taxes.js';
import { parseTaxTable } from '../../../src/domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../../../src/domain/tax/table-provider.js';
import type { DecimalString, Instant, LocalDate } from '../../../src/domain/values.js';
import type { Invoice } from '../../../src/domain/invoicing/invoice.js';
import type { Customer } from '../../../src/storage/types.js';
import { issuedAt, settings } from '../../activities/fixture.js';
import { newAuditKey, signerOf } from '../../../src/storage/audit-hashes.js';
import type { ActivityFixture } from '../../activities/fixture.js';

const decidedBy = 'ann';

export async function fillOtherTables(fixture: ActivityFixture): Promise<void> {
  const { storage, activities, run } = fixture;
  const letter = { code: 'UNKNOWN_CUSTOMER', detail: 'of a test', customerId: 'nobody', eventId: 'e', payload: '{}' };
  await storage.ledger.append([], [letter, { ...letter, payload: 'no JSON' }]);
  const [first] = await storage.deadLetters.toReplay({}, 1);
  const letterId = first?.deadLetterId ?? '';
  const { code, detail } = { ...letter, code: 'UNKNOWN_CUSTOMER' as const };
  const rejected = { deadLetterId: letterId, payload: null, event: null, refusal: { code, detail } };
  await storage.deadLetters.replay([rejected], { decidedBy, reason: null, refusals: {} });
  await storage.deadLetters.discard(letterId, { decidedBy, reason: 'a test' });

  const sql = new pg.Client({ connectionString: fixture.url });
  await sql.connect();
  await sql.query(
    `INSERT INTO relay_set_aside (partition_group, customer_id, from_position, reason) VALUES ('test', 'lost', 1, 'unknown')`,
  );
  // As they were kept until replays were one transaction.
  await sql.query(`INSERT INTO dead_letter_attempts (dead_letter_id, sequence, attempted_by) VALUES ($1, 1, $2)`, [
    letterId,
    decidedBy,
  ]);
  await sql.end();

  const finding = { code: 'UNMETERED_EVENTS', customerId: null, period: null, detail: 'of a test' } as const;
  const findings = [1, 2].map((test) => storage.findings.store({ ...finding, subject: { test } }));
  const [resolved] = await Promise.all(findings);
  await storage.findings.resolve(resolved ?? '', { resolution: 'accepted', reason: 'a test', resolvedBy: decidedBy });

  await storage.idempotency.start('POST /meters', 'answered', 'a');
  await storage.idempotency.finish('POST /meters', 'answered', 201, '{"code":"x"}');
  await storage.idempotency.start('POST /meters', 'in flight', 'b');

  const tag = { key: 'team', description: null, values: ['blue'], requiredFor: [], retired: false };
  await storage.tags.put(tag, decidedBy);
  await fillPeriodClose(fixture);
  const schema = { type: 'object', properties: { size: { type: 'number', multipleOf: 0.1 } } };
  const version = { eventType: 'upload', version: 1, compatibility: 'full', createdBy: decidedBy } as const;
  await storage.eventSchemas.append({ ...version, schema });

  const request = { runId: randomUUID(), workflowId: 'reconciliation/test', requestedBy: decidedBy };
  await storage.reconciliation.request({ ...request, scope: { customerIds: null, from: null, to: null } });
  await run(activities.reconcileChunk, { runId: request.runId, limit: 100 });
  await run(activities.finishReconciliation, { runId: request.runId });

  await fillPriceTables(fixture);
  const dollar = { source: 'ecb', base: 'EUR', quote: 'USD', date: '2024-01-31' as LocalDate };
  for (const rate of ['1.0846', '1.0837'])
    await storage.reference.addExchangeRates([{ ...dollar, rate: rate as DecimalString }], decidedBy);
  await fillFallbackTables(fixture);
  await fillCreditTables(fixture);
  await fillSettlementTables(fixture);
  await fillLedgerTables(fixture);
  await fillDocumentTables(fixture);
  // Blocks of the ledger, and heads that are signed.
  await storage.audit.seal();
  await storage.audit.sign(signerOf(newAuditKey()), '2031-01-01T00:00:00.000000Z' as Instant);
}

/** A closed month with its snapshot, one of the whole journal, and an account mapping. */
async function fillLedgerTables({ storage: { journal } }: ActivityFixture): Promise<void> {
  await journal.closeMonth({ month: '2023-01-01' as LocalDate, reason: 'a test', closedBy: decidedBy });
  await journal.takeMonthSnapshots(decidedBy);
  await journal.takeSnapshot(decidedBy);
  const mapping = { mapping: 'erp', account: 'revenue', product: null, externalAccount: '4000', effectiveFrom: null };
  await journal.addMappings([{ accountMappingId: randomUUID(), ...mapping, reason: 'a test', mappedBy: decidedBy }]);
}

/** A legal entity, and a close of the periods of its customer that was cancelled before its chunk could do more. */
async function fillPeriodClose({ storage, activities, run, addCustomer }: ActivityFixture): Promise<void> {
  const legalEntity = 'acme-de';
  const seller = { name: 'Acme GmbH' };
  await storage.numbering.putEntity({ code: legalEntity, numberPrefix: 'ACME-DE', seller }, decidedBy);
  await addCustomer('closed', { legalEntity });
  const scope = { period: '2024-01-01' as LocalDate, endedOn: null, customerIds: null, legalEntity };
  const close = { closeId: randomUUID(), scope, billingDay: postingDate, requestedBy: decidedBy };
  const { closeId } = close;
  await storage.periodCloses.request({ ...close, workflowId: `period-close/${closeId}` });
  await run(activities.planPeriodClose, { closeId });
  await run(activities.handOverPeriods, { closeId, billingDay: postingDate, limit: 1 });
  await run(activities.issueChunk, { billingDay: postingDate, limit: 10 });
  await storage.periodCloses.cancel(closeId, { cancelledBy: decidedBy, reason: 'a test' });
}

/** A taxed document and its credit note that a provider heard of, and one given out as PDF. */
async function fillDocumentTables(fixture: ActivityFixture): Promise<void> {
  const { storage, run, client } = fixture;
  const customerId = 'taxed';
  await fixture.addCustomer(customerId, { priceBook: 'fee', buyer: { country_code: 'DE' } });
  await storage.periods.periodAt(customerId, '2024-01-10T00:00:00.000000Z' as Instant);
  const rates = [{ country: 'DE', category: 'standard', rate: '19', from: '2020-01-01' }];
  const tax = { ...tableTaxProvider(parseTaxTable({ rates })), reports: true };
  const activities = createActivities({ storage, client, settings, now: () => issuedAt, tax });
  const billingDay = '2031-02-01' as LocalDate;
  const request = { requestId: randomUUID(), customerId, period: '2024-01-01' as LocalDate, billingDay };
  await storage.periods.requestInvoicing({ ...request, forced: false, reason: null });
  await run(activities.issueChunk, { billingDay, limit: 1 });
  const [invoice] = (await storage.billing.listInvoices({ customerId }, { limit: 1 })).data;
  const rendering = {
    format: 'pdf',
    marked: false,
    renderer: 'a test',
    sha256: 'a'.repeat(64),
    byteLength: 1,
  } as const;
  await storage.documents.keepRendering({ invoiceId: invoice?.invoiceId ?? '', ...rendering });
  if (invoice === undefined) throw new Error('no invoice');
  const [{ lineItemId } = { lineItemId: '' }] = invoice.lines;
  const line = { lineItemId, amount: '0.10' as DecimalString, reasonCode: 'goodwill', reason: null } as const;
  const note = { creditNoteId: randomUUID(), lines: [line], reason: null, actor: decidedBy, now: issuedAt };
  await issueCreditNote(storage, invoice, note);
  await run(() => reportTaxAgain({ storage, tax }));
}

/** A grant that was drawn, one that has expired and rolled over, one that was taken back: of a customer of their own. */
async function fillCreditTables(fixture: ActivityFixture): Promise<void> {
  const { storage, activities, run } = fixture;
  const customerId = 'credited';
  const fee = { name: 'Base fee', model: 'fixed', amount: '1.00', billed: 'in_arrears' };
  const book = { code: 'fee', version: 'v1', currency: 'USD', effective_from: '2023-01-01T00:00:00Z', prices: [fee] };
  await storage.reference.createPriceBook(parsePriceBook(book));
  await fixture.addCustomer(customerId, { priceBook: 'fee' });
  await storage.periods.periodAt(customerId, '2024-01-10T00:00:00.000000Z' as Instant);
  const [, expiring] = [await grantTo(fixture, customerId), await grantTo(fixture, customerId, true)];
  const taken = await grantTo(fixture, customerId);
  await storage.credits.voidGrant(taken, { reason: 'a test', voidedBy: decidedBy, postingDate });
  const request = { requestId: randomUUID(), customerId, period: '2024-01-01' as LocalDate, billingDay: postingDate };
  await storage.periods.requestInvoicing({ ...request, forced: false, reason: null });
  await run(activities.issueChunk, { billingDay: postingDate, limit: 1 });
  await storage.credits.end(expiring, { now: '2031-01-01T00:00:00.000000Z' as Instant, postingDate });
}

/**
 * Of a customer of their own: a voided invoice with its credit note, one that was paid, reversed, credited and written off, a
 * refund, and a draft that was looked at.
 */
async function fillSettlementTables(fixture: ActivityFixture): Promise<void> {
  const { storage, activities, run } = fixture;
  const customerId = 'settled';
  await fixture.addCustomer(customerId, { priceBook: 'fee' });
  const now = '2031-01-01T00:00:00.000000Z' as Instant;
  const deciding = { actor: decidedBy, now };
  const issue = async (period: LocalDate): Promise<void> => {
    await storage.periods.periodNamed(customerId, period);
    const request = { requestId: randomUUID(), customerId, period, billingDay: postingDate };
    await storage.periods.requestInvoicing({ ...request, forced: false, reason: null });
    await run(activities.issueChunk, { billingDay: postingDate, limit: 1 });
  };
  const last = async (): Promise<Invoice> => {
    const { data } = await storage.billing.listInvoices({ customerId, status: 'issued' }, { limit: 1 });
    if (data[0] === undefined) throw new Error('no invoice');
    return data[0];
  };
  const credit = async (invoice: Invoice): Promise<void> => {
    const lines = invoice.lines.map(({ lineItemId }) => ({
      ...{ lineItemId, amount: '0.10' as DecimalString, reasonCode: 'goodwill', reason: null },
    })) as Parameters<typeof issueCreditNote>[2]['lines'];
    await issueCreditNote(storage, invoice, { ...deciding, creditNoteId: randomUUID(), lines, reason: null });
  };
  await issue('2024-01-01' as LocalDate);
  const voided = await last();
  await credit(voided);
  await voidInvoice(storage, voided, { ...deciding, reason: 'a test' });
  await issue('2024-01-01' as LocalDate);
  const invoice = await last();
  await credit(invoice);
  const pay = async (amount: string, part: string): Promise<string> => {
    const paymentId = randomUUID();
    const payment = { paymentId, customerId, currency: 'USD', amount: amount as DecimalString, receivedAt: now };
    const { invoiceId, number } = invoice;
    const parts = [{ invoiceId, number, amount: part as DecimalString }];
    const terms = { method: 'card', reference: null, recordedBy: decidedBy };
    await recordPayment(storage, { payment: { ...payment, ...terms }, parts, allowDuplicate: false, now });
    return paymentId;
  };
  const bounced = await storage.settlement.findPayment(await pay('0.50', '0.50'));
  if (bounced !== null)
    await reversePayment(storage, bounced, { ...deciding, requestId: randomUUID(), reason: 'a test' });
  await pay('1.50', '0.20');
  const refund = { refundId: randomUUID(), customerId, currency: 'USD', amount: '0.30' as DecimalString };
  await refundCredit(
    storage,
    { ...refund, method: 'card', reference: null, reason: 'a test', refundedBy: decidedBy },
    { now },
  );
  const giveUp = async (): Promise<string> => {
    const writeOffId = randomUUID();
    const amount = '0.10' as DecimalString;
    await writeOff(storage, invoice, { ...deciding, writeOffId, amount, reason: 'a test' });
    return writeOffId;
  };
  const mistaken = await storage.settlement.findWriteOff(await giveUp());
  if (mistaken !== null)
    await reverseWriteOff(storage, mistaken, { ...deciding, reason: 'a test', requestId: randomUUID() });
  await giveUp();

  await storage.reference.putCustomer(
    customerId,
    { ...(await factsOf(fixture, customerId)), invoiceApproval: 'required' },
    null,
  );
  await issue('2024-02-01' as LocalDate);
  const { data } = await storage.drafts.list({ customerId, status: 'draft' }, { limit: 1 });
  const contentHash = data[0]?.transitions[0]?.contentHash ?? '';
  const decision = { decision: 'rejected', contentHash, actor: decidedBy, reason: 'a test' } as const;
  await storage.drafts.decide(data[0]?.invoiceId ?? '', decision);
}

async function factsOf({ storage }: ActivityFixture, customerId: string): Promise<Customer> {
  const customer = await storage.reference.findCustomer(customerId);
  if (customer === null) throw new Error(`no customer ${customerId}`);
  return customer;
}

const postingDate = '2031-01-01' as LocalDate;

async function grantTo({ storage }: ActivityFixture, customerId: string, expires = false): Promise<string> {
  const grantId = randomUUID();
  const terms = {
    ...{ grantId, customerId, currency: 'USD', name: 'a package', reason: null },
    type: 'prepaid',
    priority: expires ? 60 : 50,
    amount: (expires ? '20.00' : '0.10') as DecimalString,
    effectiveFrom: '2023-01-01T00:00:00.000000Z' as Instant,
    expiresAt: expires ? ('2024-06-01T00:00:00.000000Z' as Instant) : null,
    rollOver: expires ? { cap: '5.00' as DecimalString, validity: 'P30D' } : null,
    ...{ rolledOverFrom: null, grantedBy: decidedBy },
  } as const;
  await storage.credits.grant(terms, postingDate);
  return grantId;
}

const pricesOf = (version: string, unitPrice: string): Omit<PriceBookVersion, 'priceBookId' | 'learnedOrder'> =>
  parsePriceBook({
    code: 'corrected',
    version,
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices: [{ meter: 'api_calls', model: 'flat', unit_price: unitPrice }],
  });

/** A provisional rating on last known prices, and what became of it: of a customer of its own. */
async function fillFallbackTables({ storage, addCustomer }: ActivityFixture): Promise<void> {
  const customerId = 'fallback';
  await addCustomer(customerId);
  const at = '2024-01-10T00:00:00.000000Z' as Instant;
  const period = await storage.periods.periodAt(customerId, at);
  const pinnedVersions = pinsOf(await priceFactsOf(storage, period));
  const fallback = { pricesAsOf: at, pinnedVersions, currency: 'USD', chargeIds: [] };
  await storage.billing.atGate(period, (gate) => gate.storeFallback(fallback), 'provisional');
  const [stored] = await storage.priceFallbacks.unchecked({ customerId }, 1);
  await storage.priceFallbacks.recordCheck(stored?.fallbackId ?? '', false);
}

/** A version that corrects another one, an override, and an evaluation that has ended: of a price book and a customer of their own. */
async function fillPriceTables(fixture: ActivityFixture): Promise<void> {
  const { storage, activities, run, addCustomer } = fixture;
  const { priceBook } = await storage.reference.createPriceBook(pricesOf('v1', '0.05'));
  const correction = { supersedesId: priceBook.priceBookId, correctedBy: decidedBy };
  await storage.reference.createPriceBook(pricesOf('v2', '0.04'), correction);

  const customerId = 'negotiated';
  await addCustomer(customerId);
  await storage.periods.periodAt(customerId, '2024-01-10T00:00:00.000000Z' as Instant);
  const { code: _code, version: _version, ...content } = pricesOf('own', '0.03');
  await storage.reference.putPriceOverride(customerId, content, { reason: 'a test', decidedBy });

  const evaluationId = randomUUID();
  await storage.evaluations.request({
    evaluationId,
    workflowId: `evaluation/${evaluationId}`,
    priceBook: priceBookToWire(pricesOf('idea', '0.02')),
    scope: { customerIds: [customerId], from: null, to: null },
    cutoff: await storage.ledger.safeHorizon(),
    requestedBy: decidedBy,
  });
  await run(activities.evaluateChunk, { evaluationId, limit: 100 });
  await run(activities.finishEvaluation, { evaluationId });
  await fillRollout(fixture);
}

/** A rollout of a price book of its own, with a comparison of its canary; taken back again. */
async function fillRollout({ storage, activities, run, addCustomer }: ActivityFixture): Promise<void> {
  const { reference, rollouts } = storage;
  const code = 'rolled-out';
  await reference.createPriceBook({ ...pricesOf('v1', '0.05'), code });
  const { priceBook } = await reference.createPriceBook({ ...pricesOf('v2', '0.04'), code, isCandidate: true });
  const customerId = 'canary';
  await addCustomer(customerId);
  const effectiveFrom = '2024-01-10T00:00:00.000000Z' as Instant;
  await storage.periods.periodAt(customerId, effectiveFrom);
  const decision = {
    effectiveFrom,
    percentage: null,
    evaluationId: null,
    override: false,
    reason: 'a test',
    decidedBy,
  };
  const rollout = { rolloutId: randomUUID(), priceBookId: priceBook.priceBookId, code, startedBy: decidedBy };
  const { rolloutId } = rollout;
  const canary = { ...decision, stageId: randomUUID(), kind: 'canary', customerIds: [customerId] } as const;
  await rollouts.start(rollout, canary);
  const evaluationId = randomUUID();
  await storage.evaluations.request({
    evaluationId,
    workflowId: `evaluation/${evaluationId}`,
    priceBook: priceBookToWire(priceBook),
    scope: { customerIds: [customerId], from: null, to: null },
    cutoff: await storage.ledger.safeHorizon(),
    requestedBy: decidedBy,
    comparisonOf: { rolloutId, sequence: 1 },
  });
  await run(activities.evaluateChunk, { evaluationId, limit: 100 });
  await run(activities.finishEvaluation, { evaluationId });
  await rollouts.decide(rolloutId, 2, { ...decision, stageId: randomUUID(), kind: 'rollback', customerIds: [] });
}
