/** The tag registry. */
import { z } from 'zod';
import { everyEventType, tagKeyPattern, tagValueLengthMax } from '../../domain/metering/tags.js';
import { actingHeaders, identifier, instantOut, storedText } from './common.js';

export const tagKey = z
  .string()
  .regex(tagKeyPattern, 'must be 1 to 64 letters, digits or characters of "_.:/-", and not ".", ".." or "__proto__"')
  .meta({ description: 'Percent-encoded, as any part of a path.', examples: ['team'] });

/** A PUT takes no `Idempotency-Key`: the same again changes nothing. */
export const tagHeaders = z.looseObject({ 'x-reckoner-actor': actingHeaders.shape['x-reckoner-actor'] });

export const tagBody = z.strictObject({
  description: storedText(1_000).nullable().default(null),
  values: z
    .array(storedText(tagValueLengthMax))
    .min(1)
    .max(1_000)
    .nullable()
    .default(null)
    .meta({ description: `The values that events may have; null: any text of 1 to ${tagValueLengthMax} characters.` }),
  required_for: z
    .array(identifier)
    .max(100)
    .default([])
    .meta({ description: `Event types whose events must carry the tag; "${everyEventType}": all of them.` }),
  retired: z.boolean().default(false).meta({ description: 'Events carry it no more; what is stored keeps it.' }),
});

export const tagDefinition = z
  .object({
    key: z.string(),
    version: z.int(),
    description: z.string().nullable(),
    values: z.array(z.string()).nullable(),
    required_for: z.array(z.string()),
    retired: z.boolean(),
    defined_by: z.string(),
    defined_at: instantOut,
  })
  .meta({ id: 'TagDefinition' });

export const tagWithVersions = tagDefinition
  .extend({ versions: z.array(tagDefinition).meta({ description: 'Oldest first; the last one holds.' }) })
  .meta({ id: 'TagWithVersions' });
