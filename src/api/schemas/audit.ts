/** The audit log. */
import { z } from 'zod';
import { identifier, instantOut, pageOf, paging } from './common.js';

const hash = z.string().meta({ description: 'SHA-256, hex.' });

const change = z.object({
  change_id: z.string(),
  table: z.string(),
  kind: z
    .enum(['insert', 'genesis'])
    .meta({ description: 'genesis: the rows were there before their table was audited.' }),
  layout: z.int().meta({ description: 'Which columns are hashed: a version of the table’s layout.' }),
  actor: z.string().nullable(),
  rows: z.array(
    z.object({ key: z.string().meta({ description: 'The primary key, a JSON list of texts.' }), digest: hash }),
  ),
  digest: hash,
});

export const auditEntry = z
  .object({
    scope: z.string().meta({ description: 'The chain: customer/ and the id, or deployment for what has no customer.' }),
    sequence: z.int(),
    at: instantOut,
    actor: z.string().nullable().meta({ description: 'As far as the rows say.' }),
    changes: z.array(change),
    previous_hash: z.string(),
    hash,
  })
  .meta({ id: 'AuditEntry', description: 'What one transaction did in one chain.' });
export const auditPage = pageOf(auditEntry);

export const auditQuery = z.strictObject({
  customer_id: identifier
    .optional()
    .meta({ description: 'Its chain. Without it, and without invoice_id: what has no customer.' }),
  invoice_id: identifier.optional().meta({
    description:
      'Id or number: what was written for the document and its period, adjustments of the period’s events included.',
  }),
  ...paging,
});

const head = z.strictObject({
  scope: z.string().min(1).max(256),
  sequence: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});
const blockShape = z
  .strictObject({ number: z.int().min(1), hash: z.string().regex(/^[0-9a-f]{64}$/) })
  .nullable()
  .meta({ description: 'The last block then; null: there was none.' });

export const anchorBody = z.strictObject({
  checkpoint: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  block: blockShape,
  heads: z.array(head).max(1_000),
});

const auditProblem = z
  .object({
    what: z.string(),
    table: z.string(),
    key: z.string().nullable(),
    scope: z.string().nullable(),
    sequence: z.int().nullable(),
    detail: z.string(),
  })
  .meta({ id: 'AuditProblem' });

export const verifyQuery = z.strictObject({
  customer_id: identifier.optional().meta({
    description:
      'Only this customer’s chain and rows, and its signed heads: neither usage facts, reference data nor triggers are looked at.',
  }),
  problems_max: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(20)
    .meta({ description: 'The verification ends when it has found so many.' }),
});

export const anchorAnswer = z.object({
  verified: z.boolean(),
  problem: auditProblem.nullable().meta({ description: 'The first row that is not as it was anchored.' }),
});

export const sealBody = z.strictObject({
  sign: z.boolean().default(false).meta({ description: 'Sign the heads of the chains as well.' }),
});
export const sealAnswer = z.object({
  blocks: z.array(
    z.object({ block: z.int(), from: z.string(), to: z.string(), facts: z.int(), sealed_at: instantOut, hash }),
  ),
  checkpoints: z.array(
    z.object({ checkpoint: z.int(), at: instantOut, heads: z.int(), hash, key_id: z.string(), signature: z.string() }),
  ),
});

export const anchorNowAnswer = z.object({
  done: z.boolean().meta({ description: 'false: it is still under way; its workflow shows the result.' }),
  workflow_id: z.string().nullable(),
  blocks: z.int().nullable(),
  checkpoints: z.int().nullable(),
  written: z.int().nullable().meta({ description: 'Lines in the anchor file; null: the worker has none.' }),
  last_checkpoint: z
    .object({ checkpoint: z.int(), at: instantOut, hash, key_id: z.string() })
    .nullable()
    .meta({ description: 'null: nothing is signed, because the worker has no key.' }),
});

export const auditKeys = z.object({
  data: z.array(z.object({ key_id: z.string(), public_key: z.string(), added_at: instantOut })),
});
