/** The schema registry. */
import { z } from 'zod';
import { compatibilityModes } from '../../domain/metering/schema-compatibility.js';
import { identifier, instantOut, pageOf } from './common.js';

const mode = z.enum(compatibilityModes);
const modes =
  'backward: what earlier versions accept this one accepts; forward: what this one accepts earlier ones accept; full: both; none: not compared.';

/** Shown; the schema itself is read, exactly, by services/event-schema-reading.ts. */
export const eventSchemaBody = z.strictObject({
  event_type: identifier,
  schema: z.record(z.string(), z.unknown()).meta({
    description:
      'JSON Schema (draft 2020-12) of the metadata. References within the document only; known keywords only.',
  }),
  compatibility: mode
    .optional()
    .meta({ description: `${modes} Default: that of the latest version; of the first, backward.` }),
  dry_run: z.boolean().default(false).meta({ description: 'Only say whether it would be accepted.' }),
});

export const eventSchemaShape = z.strictObject({
  event_type: identifier,
  schema: z.unknown(),
  compatibility: mode.optional(),
  dry_run: z.boolean().default(false),
});

/** Digits without a leading zero. */
export const schemaVersionParam = z.string().regex(/^[1-9]\d{0,8}$/, 'must be a whole number from 1 on');

export const eventSchema = z
  .object({
    event_type: z.string(),
    version: z.int(),
    schema: z.record(z.string(), z.unknown()),
    compatibility: mode.meta({ description: modes }),
    created_by: z.string(),
    created_at: instantOut.nullable().meta({ description: 'null: of a dry run, nothing is stored.' }),
  })
  .meta({ id: 'EventSchema' });
export type EventSchemaWire = z.output<typeof eventSchema>;
export const eventSchemaPage = pageOf(eventSchema);
