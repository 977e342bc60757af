/** From the bytes of a request to the items in it. */
import { isUtf8 } from 'node:buffer';
import { DomainFailure } from '../../domain/failure.js';
import { NumberText, parseExactJson, stringifyExactJson, type ExactJson } from './exact-json.js';
import { ingestLimits } from './limits.js';

export interface EventsBody {
  /** `single`: the body is one event, so what is wrong with it is the answer's own problem. */
  readonly form: 'single' | 'batch';
  readonly items: readonly ExactJson[];
  readonly text: string;
}

/**
 * One event, an array of events, or `{"events": […]}`.
 * @throws DomainFailure INVALID_JSON, UNKNOWN_PROPERTY, VALIDATION_FAILED, BATCH_TOO_LARGE
 */
export function parseEventsBody(body: Buffer): EventsBody {
  const { value, text } = parseJson(body);
  const items = itemsOf(value);
  if (items === null) return { form: 'single', items: [value], text };
  if (items.length > ingestLimits.eventsPerRequest) {
    const detail = `The request has ${items.length} events; at most ${ingestLimits.eventsPerRequest} are taken at once. Send them in parts.`;
    throw new DomainFailure('BATCH_TOO_LARGE', detail);
  }
  return { form: 'batch', items, text };
}

function parseJson(body: Buffer): { readonly value: ExactJson; readonly text: string } {
  if (body.length === 0)
    throw new DomainFailure('INVALID_JSON', 'The body is empty. Send one event, or a list of them.');
  if (!isUtf8(body)) throw new DomainFailure('INVALID_JSON', 'The body is not valid UTF-8.');
  const text = body.toString('utf8');
  try {
    return { value: parseExactJson(text), text };
  } catch (error) {
    if (error instanceof RangeError) throw new DomainFailure('INVALID_JSON', 'The body is nested too deeply.');
    if (!(error instanceof SyntaxError)) throw error;
    // V8's message quotes the body around the fault, bounded, and says where it is.
    throw new DomainFailure('INVALID_JSON', `The body is not JSON: ${error.message}.`);
  }
}

/** Null when the body is one event, or what was meant as one. */
function itemsOf(value: ExactJson): readonly ExactJson[] | null {
  if (Array.isArray(value)) return value as readonly ExactJson[];
  if (typeof value !== 'object' || value === null || value instanceof NumberText || !Object.hasOwn(value, 'events'))
    return null;
  const { events, ...others } = value as { readonly [key: string]: ExactJson };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const detail = `"${unknown.slice(0, 100)}" cannot stand beside "events".`;
    throw new DomainFailure(
      'UNKNOWN_PROPERTY',
      detail,
      `/${unknown.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`,
    );
  }
  if (!Array.isArray(events))
    throw new DomainFailure('VALIDATION_FAILED', '"events" must be a list of events.', '/events');
  return events as readonly ExactJson[];
}

/** The text that a dead letter keeps of an item: as it came, but for white space. */
export function itemText(item: ExactJson, bodyText: string): string {
  try {
    return stringifyExactJson(item);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return boundedText(bodyText); // nested too deeply to be written again
  }
}

/** The beginning of a body that could not be read, in a form that Postgres can store. */
export function boundedText(text: string): string {
  return text.slice(0, ingestLimits.deadLetterCharacters).replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}
