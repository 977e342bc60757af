/** Rows in the tables that no books of the proofs write to: decisions, findings, registries, runs. */
import { randomUUID } from 'node:crypto';
import type { ActivityFixture } from '../../activities/fixture.js';

const decidedBy = 'ann';

export async function fillOtherTables({ storage, activities, run }: ActivityFixture): Promise<void> {
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
}
