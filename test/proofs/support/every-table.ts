/** Rows in the tables that no books of the proofs write to: decisions, findings, registries, runs. */
import { randomUUID } from 'node:crypto';
import { pinsOf, priceFactsOf } from '../../../src/billing/price-facts.js';
import { parsePriceBook } from '../../../src/domain/rating/parse-price-book.js';
import { priceBookToWire } from '../../../src/domain/rating/price-book-to-wire.js';
import type { PriceBookVersion } from '../../../src/domain/rating/price-book.js';
import type { Instant } from '../../../src/domain/values.js';
import type { ActivityFixture } from '../../activities/fixture.js';

const decidedBy = 'ann';

export async function fillOtherTables(fixture: ActivityFixture): Promise<void> {
  const { storage, activities, run } = fixture;
  const letter = { code: 'UNKNOWN_CUSTOMER', detail: 'of a test', customerId: 'nobody', eventId: 'e', payload: '{}' };
  await storage.ledger.append([], [letter, { ...letter, payload: 'no JSON' }]);
  const [first] = await storage.deadLetters.toReplay({}, 1);
  await storage.deadLetters.decide(first?.deadLetterId ?? '', { decision: 'discarded', decidedBy, reason: 'a test' });

  const finding = { code: 'UNMETERED_EVENTS', customerId: null, period: null, detail: 'of a test' } as const;
  const findings = [1, 2].map((test) => storage.findings.store({ ...finding, subject: { test } }));
  const [resolved] = await Promise.all(findings);
  await storage.findings.resolve(resolved ?? '', { resolution: 'accepted', reason: 'a test', resolvedBy: decidedBy });

  await storage.idempotency.start('POST /meters', 'answered', 'a');
  await storage.idempotency.finish('POST /meters', 'answered', 201, '{"code":"x"}');
  await storage.idempotency.start('POST /meters', 'in flight', 'b');

  const tag = { key: 'team', description: null, values: ['blue'], requiredFor: [], retired: false };
  await storage.tags.put(tag, decidedBy);
  const schema = { type: 'object', properties: { size: { type: 'number', multipleOf: 0.1 } } };
  const version = { eventType: 'upload', version: 1, compatibility: 'full', createdBy: decidedBy } as const;
  await storage.eventSchemas.append({ ...version, schema });

  const request = { runId: randomUUID(), workflowId: 'reconciliation/test', requestedBy: decidedBy };
  await storage.reconciliation.request({ ...request, scope: { customerIds: null, from: null, to: null } });
  await run(activities.reconcileChunk, { runId: request.runId, limit: 100 });
  await run(activities.finishReconciliation, { runId: request.runId });

  await fillPriceTables(fixture);
  await fillFallbackTables(fixture);
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
async function fillPriceTables({ storage, activities, run, addCustomer }: ActivityFixture): Promise<void> {
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
}
