/** The audit log: what was written, by whom; sealing and signing it; verifying it. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import { msToInstant } from '../../domain/time/instant.js';
import { requireAnchored } from '../../billing/audit-witness.js';
import { requireSigner } from '../../storage/audit-keys.js';
import type { AuditBlock, AuditEntry, Checkpoint, Storage, VerificationStep } from '../../storage/types.js';
import { actingHeaders, answers, storedText } from '../schemas/common.js';
import {
  anchorAnswer,
  anchorBody,
  anchorNowAnswer,
  auditEntry,
  auditKeys,
  auditPage,
  auditQuery,
  sealAnswer,
  sealBody,
  verifyQuery,
} from '../schemas/audit.js';
import type { AnchoredNow } from '../temporal-anchor.js';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['audit'];
const noKey = { key: null, keyFile: null } as const;

export async function auditRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.get(
    '/audit',
    {
      schema: {
        tags,
        operationId: 'listAudit',
        summary: 'The audit trail of a customer or an invoice, the newest first',
        querystring: auditQuery,
        response: answers({
          success: { 200: { description: 'Entries.', schema: auditPage } },
          refusals: ['INVALID_CURSOR', 'INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, invoice_id: invoice } = request.query;
      const filter = {
        ...(customerId !== undefined && { customerId }),
        ...(invoice !== undefined && { invoiceId: await invoiceIdOf(storage, invoice) }),
      };
      return toApiPage(await storage.audit.list(filter, pageRequest(request.query)), toApiEntry);
    },
  );
  app.get(
    '/audit/entries/:scope/:sequence',
    {
      schema: {
        tags,
        operationId: 'getAuditEntry',
        summary: 'An entry of a chain',
        params: z.object({
          scope: storedText(256).meta({ description: 'customer/ and the id (percent-encoded), or deployment.' }),
          sequence: z.string().regex(/^[1-9]\d{0,14}$/),
        }),
        response: answers({
          success: { 200: { description: 'The entry.', schema: auditEntry } },
          refusals: ['AUDIT_ENTRY_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const { scope, sequence } = request.params;
      const entry = await storage.audit.find(scope, Number(sequence));
      if (entry === null)
        throw new DomainFailure('AUDIT_ENTRY_NOT_FOUND', `The chain "${scope}" has no entry ${sequence}.`);
      return toApiEntry(entry);
    },
  );
  app.get(
    '/audit/keys',
    {
      schema: {
        tags,
        operationId: 'listAuditKeys',
        summary: 'The public keys that have signed',
        response: answers({ success: { 200: { description: 'Keys.', schema: auditKeys } } }),
      },
    },
    async () => ({
      data: (await storage.audit.keys()).map(({ keyId, publicKey, addedAt }) => ({
        key_id: keyId,
        public_key: publicKey,
        added_at: addedAt,
      })),
    }),
  );
}

export async function auditProofRoutes(app: Api, { storage, temporal, clock, config }: RouteContext): Promise<void> {
  app.get(
    '/audit/verify',
    {
      schema: {
        tags,
        operationId: 'verifyAudit',
        summary: 'Hold everything that is stored against the audit log',
        description:
          'Lines of JSON as it goes on: `kind` is `progress`, then once `result`, with the rows that are not what was written, the first one first.',
        querystring: verifyQuery,
        response: answers({
          success: {
            200: { description: 'Lines.', schema: z.any().meta({ type: 'string' }), mediaType: 'application/x-ndjson' },
          },
        }),
      },
    },
    async (request, reply) => {
      const { customer_id: customerId, problems_max: problemsMax } = request.query;
      const trustedKeys = config.audit?.trustedKeys ?? [];
      const steps = storage.audit.verify({
        problemsMax,
        ...(customerId !== undefined && { customerId }),
        ...(trustedKeys.length > 0 && { trustedKeys }),
      });
      return reply.type('application/x-ndjson').send(Readable.from(linesOf(steps)));
    },
  );
  app.post(
    '/audit/anchors/verify',
    {
      schema: {
        tags,
        operationId: 'verifyAuditAnchor',
        summary: 'Hold the database against what was written outside of it',
        description: 'Heads of a line of the anchor file. Changes nothing; so it takes no Idempotency-Key.',
        body: anchorBody,
        response: answers({
          success: { 200: { description: 'Whether all of it is still there.', schema: anchorAnswer } },
          body: true,
        }),
      },
    },
    async (request) => {
      const problem = await storage.audit.checkAnchor(request.body);
      return { verified: problem === null, problem };
    },
  );
  app.post(
    '/audit/seal',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'sealAudit',
        summary: 'Seal the facts of the usage ledger in blocks, and sign the heads of the chains',
        description: 'Both happen by themselves every hour; to be asked for when it shall be now.',
        headers: actingHeaders,
        body: sealBody,
        response: answers({
          success: { 200: { description: 'What is new.', schema: sealAnswer } },
          refusals: ['AUDIT_KEY_MISSING', 'AUDIT_KEY_INVALID', 'AUDIT_ANCHOR_DIFFERS'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const signer = request.body.sign ? await requireSigner(config.audit ?? noKey) : null;
      await requireAnchored(storage, { anchorFile: config.audit?.anchorFile ?? null, lastResult: null });
      const blocks = await storage.audit.seal();
      const checkpoints = signer === null ? [] : await storage.audit.sign(signer, msToInstant(clock()));
      return { blocks: blocks.map(toApiBlock), checkpoints: checkpoints.map(toApiCheckpoint) };
    },
  );
  app.post(
    '/audit/anchor',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'anchorAudit',
        summary: 'Seal, sign and anchor now',
        description:
          'Triggers the schedule `audit-anchor`, whose worker has the key and the anchor file, and waits a while.',
        headers: actingHeaders,
        response: answers({
          success: { 200: { description: 'What was anchored.', schema: anchorNowAnswer } },
          refusals: ['AUDIT_ANCHOR_DIFFERS', 'AUDIT_KEY_INVALID', 'TEMPORAL_UNAVAILABLE'],
          idempotent: true,
        }),
      },
    },
    async () => toApiAnchored(await temporal.anchorAudit()),
  );
}

function toApiAnchored({ workflowId, output }: AnchoredNow): object {
  const last = output?.lastCheckpoint ?? null;
  const { checkpoint, at, hash, keyId } = last ?? {};
  return {
    done: output !== null,
    workflow_id: workflowId,
    blocks: output?.blocks ?? null,
    checkpoints: output?.checkpoints ?? null,
    written: output?.written ?? null,
    last_checkpoint: last === null ? null : { checkpoint, at, hash, key_id: keyId },
  };
}

/** @throws DomainFailure INVOICE_NOT_FOUND */
async function invoiceIdOf({ billing }: Pick<Storage, 'billing'>, invoice: string): Promise<string> {
  const found = await billing.findInvoice(invoice);
  if (found === null) throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice "${invoice}".`);
  return found.invoiceId;
}

async function* linesOf(steps: AsyncIterable<VerificationStep>): AsyncGenerator<string> {
  for await (const step of steps) yield `${JSON.stringify(toApiStep(step))}\n`;
}

function toApiStep(step: VerificationStep): object {
  const { entries, rows, genesisRows, erasedRows, blocks, facts, checkpoints } = step.counts;
  const counts = { entries, rows, genesis_rows: genesisRows, erased_rows: erasedRows, blocks, facts, checkpoints };
  if (step.kind === 'progress') return { kind: step.kind, stage: step.stage, counts };
  const { kind, verified, problem, problems, notYet, keyIds } = step;
  return {
    kind,
    verified,
    problem,
    problems,
    counts,
    not_yet_signed: { entries: notYet.entries, facts: notYet.facts },
    key_ids: keyIds,
  };
}

function toApiEntry({ scope, sequence, at, actor, changes, previousHash, hash }: AuditEntry): object {
  return {
    scope,
    sequence,
    at,
    actor,
    changes: changes.map(({ changeId, ...change }) => ({ change_id: changeId, ...change })),
    previous_hash: previousHash,
    hash,
  };
}

const toApiBlock = ({ sealedAt, ...block }: AuditBlock): object => ({ ...block, sealed_at: sealedAt });

function toApiCheckpoint({ checkpoint, at, heads, hash, keyId, signature }: Checkpoint): object {
  return { checkpoint, at, heads: heads.length, hash, key_id: keyId, signature };
}
