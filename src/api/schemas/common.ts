/** Building blocks of the routes' schemas. Wire schemas have no transforms, so that OpenAPI shows what is sent. */
import { z } from 'zod';
import { parseDecimal } from '../../domain/decimal.js';
import { DomainFailure, failureCodes, type FailureCode } from '../../domain/failure.js';
import { parseInstant } from '../../domain/time/instant.js';
import { parseLocalDate, parsePeriodName } from '../../domain/time/local-date.js';
import { problemCodes, problemMediaType } from '../problem.js';

/** A text that a parser of the domain accepts; a refusal keeps the parser's code and sentence. */
export function textAccepted(parse: (text: string) => unknown): z.ZodString {
  return z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof DomainFailure)) throw error;
      context.addIssue({ code: 'custom', message: error.detail, params: { code: error.code } });
    }
  });
}

export const isStorableText = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);
export const unstorableText = 'must not contain U+0000 or half of a surrogate pair';

/** 1–128 characters that Postgres can store (RULES 6 and the names of everything else). */
export const identifier = z.string().min(1).max(128).refine(isStorableText, unstorableText);

export const instant = textAccepted((text) => parseInstant(text)).meta({ format: 'date-time' });
export const localDate = textAccepted((text) => parseLocalDate(text)).meta({ format: 'date' });
export const periodName = textAccepted((text) => parsePeriodName(text)).meta({
  description: 'The first local day of the billing period; `2024-01` stands for `2024-01-01`.',
  examples: ['2024-01'],
});
export const decimal = textAccepted((text) => parseDecimal(text)).meta({
  description: 'A plain decimal.',
  examples: ['12.50'],
});

/** Text for people, 1 to `max` characters that Postgres can store. */
export const storedText = (max: number): z.ZodString =>
  z.string().min(1).max(max).refine(isStorableText, unstorableText);
/** Why something was decided; kept with the decision. */
export const reasonText = storedText(1_000).regex(/\S/, 'must say something');

/** Parts of answers, which are ours and need no checking of their form. */
export const instantOut = z.string().meta({ format: 'date-time' });
export const dateOut = z.string().meta({ format: 'date' });
export const decimalOut = z.string().meta({ description: 'A plain decimal.', examples: ['118.72'] });
export const groupOut = z
  .record(z.string(), z.string().nullable())
  .meta({ description: 'Property to its text; null where events lack it.' });
export const intervalOut = z
  .object({ from: instantOut, to: instantOut })
  .meta({ description: 'Half-open: [from, to).' });

/** Query texts stay texts, so "limit=1e1", "+5" or "" are refused instead of coerced. */
function limit(byDefault: number, max: number): z.ZodOptional<z.ZodString> {
  return z
    .string()
    .regex(/^[1-9]\d{0,3}$/, `must be a whole number from 1 to ${max}`)
    .refine((text) => Number(text) <= max, `must be at most ${max}`)
    .optional()
    .meta({ type: 'integer', minimum: 1, maximum: max, default: byDefault, pattern: undefined });
}
const cursor = z.string().min(1).max(1_024).optional().meta({ description: '`next_cursor` of the page before.' });

export const pageLimits = { byDefault: 50, max: 100, eventsMax: 1_000 } as const;
export const paging = { limit: limit(pageLimits.byDefault, pageLimits.max), cursor };
export const eventPaging = { limit: limit(pageLimits.byDefault, pageLimits.eventsMax), cursor };

export function pageOf<T extends z.ZodType>(
  item: T,
): z.ZodObject<{ data: z.ZodArray<T>; next_cursor: z.ZodNullable<z.ZodString> }> {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(failureCodes),
    instance: z.string().meta({ description: 'The id of the request.' }),
    errors: z.array(z.object({ pointer: z.string(), code: z.enum(failureCodes), detail: z.string() })),
    errors_truncated: z.literal(true).optional().meta({ description: 'More is at fault than `errors` lists.' }),
    progress: z
      .object({ lines: z.int(), accepted: z.int(), duplicates: z.int(), rejected: z.int() })
      .optional()
      .meta({ description: 'What of a stream of events is committed: every line before number `lines`.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' });

interface Answer {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

/** What can happen to any request, and to any request with a body. */
const always: readonly FailureCode[] = ['VALIDATION_FAILED', 'INTERNAL_ERROR', 'DATABASE_UNAVAILABLE'];
const withBody: readonly FailureCode[] = [
  'INVALID_JSON',
  'UNKNOWN_PROPERTY',
  'BODY_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
];
const withKey: readonly FailureCode[] = [
  'IDEMPOTENCY_KEY_INVALID',
  'IDEMPOTENCY_KEY_IN_FLIGHT',
  'IDEMPOTENCY_KEY_REUSED',
];

export interface AnswersOf {
  readonly success: Readonly<
    Record<number, { readonly description: string; readonly schema: z.ZodType; readonly mediaType?: string }>
  >;
  readonly refusals?: readonly FailureCode[];
  readonly body?: boolean;
  readonly idempotent?: boolean;
}

/** The response part of a route's schema: its answers, and every problem by status with the codes it may carry. */
export function answers({
  success,
  refusals = [],
  body = false,
  idempotent = false,
}: AnswersOf): Record<string, unknown> {
  const codes = new Set([...refusals, ...always, ...(body ? withBody : []), ...(idempotent ? withKey : [])]);
  const response: Record<string, Answer> = {};
  for (const [status, { description, schema, mediaType = 'application/json' }] of Object.entries(success)) {
    response[status] = { description, content: { [mediaType]: { schema } } };
  }
  for (const status of new Set([...codes].map((code) => problemCodes[code].status))) {
    const listed = [...codes].filter((code) => problemCodes[code].status === status);
    const description = listed.map((code) => `\`${code}\`: ${problemCodes[code].title}`).join('; ');
    response[status] = { description, content: { [problemMediaType]: { schema: problem } } };
  }
  return response;
}

/** Headers that every POST but POST /events takes. */
export const idempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .optional()
    .meta({ description: 'The first answer to a key is stored and returned again, for at least 24 hours.' }),
});

const actor = {
  'x-reckoner-actor': z
    .string()
    .optional()
    .meta({
      description:
        'Who decides, 1 to 128 characters. Without it: the fingerprint of a bearer token, else `anonymous`. Nobody approves ' +
        'a re-rating of their own.',
    }),
} as const;
/** Headers of a PUT whose decision is kept under the name of whoever took it. */
export const actorHeaders = z.looseObject(actor);
/** Headers of a POST whose decision is. */
export const actingHeaders = idempotencyHeaders.extend(actor);

/**
 * Documents a body that a parser of the domain reads: the schema is shown, and the parser alone decides, so that every
 * refusal has the parser's code.
 */
export function documented(schema: z.ZodType): z.ZodUnknown {
  const { $schema: _dialect, ...shape } = z.toJSONSchema(schema, { io: 'input' });
  return z.unknown().meta(shape as Record<string, unknown>);
}

/** As `documented`, for a route that takes bodies of several media types. */
export function documentedBodies(schemas: Readonly<Record<string, z.ZodType>>): z.ZodUnknown {
  const shown = Object.entries(schemas).map(([mediaType, schema]) => {
    const { $schema: _dialect, ...shape } = z.toJSONSchema(schema, { io: 'input' });
    return [mediaType, { schema: shape }] as const;
  });
  return z.unknown().meta({ content: Object.fromEntries(shown) });
}
