/**
 * The tag registry: which labels events may carry in `metadata.tags`, with which values, and which they must. It is asked when an
 * event comes in, never of what is stored.
 */
import type { FailureCode } from '../failure.js';
import { escapedToken } from '../json-pointer.js';
import { asJsonObject, type Metadata, type MetadataValue, numberTextOf, tagsOf } from './metadata.js';

/** What is registered of a tag. A definition never changes: the next one holds in its place from when it is known. */
export interface TagDefinition {
  /** See `tagKeyPattern`. */
  readonly key: string;
  readonly description: string | null;
  /** Sorted; null: any text of 1 to `tagValueLengthMax` characters. */
  readonly values: readonly string[] | null;
  /** Sorted event types whose events must carry the tag; `everyEventType` stands for all of them. */
  readonly requiredFor: readonly string[];
  /** Events carry it no more. What is stored keeps it. */
  readonly retired: boolean;
}

export const everyEventType = '*';
export const tagValueLengthMax = 256;
/** `.` and `..` would be steps of a path to whoever builds a URL, and no event can have a property `__proto__`. */
export const tagKeyPattern = /^(?!(?:\.{1,2}|__proto__)$)[A-Za-z0-9_.:/-]{1,64}$/;

/** Every definition as it is compared and stored: lists are sets, their order means nothing. */
export function normalizedTag(definition: TagDefinition): TagDefinition {
  const { values, requiredFor } = definition;
  return {
    ...definition,
    values: values === null ? null : sortedSet(values),
    requiredFor: requiredFor.includes(everyEventType) ? [everyEventType] : sortedSet(requiredFor),
  };
}

export function sameTag(a: TagDefinition, b: TagDefinition): boolean {
  const text = ({ key, description, values, requiredFor, retired }: TagDefinition): string =>
    JSON.stringify([key, description, values, requiredFor, retired]);
  return text(normalizedTag(a)) === text(normalizedTag(b));
}

const sortedSet = (texts: readonly string[]): readonly string[] => [...new Set(texts)].sort();

/** The registry, compiled for looking at many events. */
export interface TagRules {
  /** By key. null: any text. */
  readonly allowed: ReadonlyMap<string, ReadonlySet<string> | null>;
  readonly retired: ReadonlySet<string>;
  /** By event type the keys it requires, those of every type included. */
  readonly required: ReadonlyMap<string, readonly string[]>;
  readonly requiredOfAll: readonly string[];
}

/** null while no tag is registered: then tags are not looked at. */
export function compileTagRules(definitions: readonly TagDefinition[]): TagRules | null {
  if (definitions.length === 0) return null;
  const inUse = definitions.filter(({ retired }) => !retired);
  const requiring = (eventType: string): readonly string[] =>
    inUse
      .filter(({ requiredFor }) => requiredFor.includes(eventType) || requiredFor.includes(everyEventType))
      .map(({ key }) => key);
  const named = new Set(inUse.flatMap(({ requiredFor }) => requiredFor));
  return {
    allowed: new Map(inUse.map(({ key, values }) => [key, values === null ? null : new Set(values)])),
    retired: new Set(definitions.filter(({ retired }) => retired).map(({ key }) => key)),
    required: new Map([...named].map((eventType) => [eventType, requiring(eventType)])),
    requiredOfAll: requiring(everyEventType),
  };
}

/** Why an event cannot be taken for its tags. */
export interface TagProblem {
  /** JSON pointer (RFC 6901) into the event. */
  readonly pointer: string;
  readonly code: Extract<FailureCode, `TAG_${string}`>;
  readonly detail: string;
}

/** The first of the tags that the rules refuse, else what is missing; null when there is nothing wrong. */
export function tagProblem(metadata: Metadata, eventType: string, rules: TagRules): TagProblem | null {
  const sent = tagsOf(metadata);
  const required = rules.required.get(eventType) ?? rules.requiredOfAll;
  if (sent === undefined) return required.length === 0 ? null : missing(required, eventType);
  const tags = asJsonObject(sent);
  if (tags === null) {
    const detail = `"tags" must be a JSON object of keys and texts, such as {"team": "search"}; it is ${shown(sent)}.`;
    return { pointer: '/metadata/tags', code: 'TAG_VALUE_NOT_ALLOWED', detail };
  }
  for (const key of Object.keys(tags)) {
    const problem = problemOf(key, tags[key], rules);
    if (problem !== null) return problem;
  }
  const lacking = required.filter((key) => !Object.hasOwn(tags, key));
  return lacking.length === 0 ? null : missing(lacking, eventType);
}

function problemOf(key: string, value: MetadataValue | undefined, rules: TagRules): TagProblem | null {
  const allowed = rules.allowed.get(key);
  if (allowed === undefined) return notRegistered(key, rules);
  if (typeof value === 'string' && (allowed === null ? isAnyValue(value) : allowed.has(value))) return null;
  const detail = `The tag "${key}" must be ${wanted(allowed)}; it is ${shown(value)}. Correct the event, or allow the value with PUT /tags/${encodeURIComponent(key)}.`;
  return { pointer: pointerTo(key), code: 'TAG_VALUE_NOT_ALLOWED', detail };
}

const isAnyValue = (text: string): boolean => text.length >= 1 && text.length <= tagValueLengthMax;

/** How many keys or values a sentence lists, and how much of each. */
const listedMax = 10;
const shownMax = 60;

function wanted(allowed: ReadonlySet<string> | null): string {
  return allowed === null ? `a text of 1 to ${tagValueLengthMax} characters` : `one of ${listed([...allowed])}`;
}

function listed(texts: readonly string[]): string {
  const quoted = texts.slice(0, listedMax).map((text) => `"${short(text)}"`);
  const more = texts.length - quoted.length;
  return more > 0 ? `${quoted.join(', ')} and ${more} more` : quoted.join(', ');
}

function notRegistered(key: string, { retired, allowed }: TagRules): TagProblem {
  const name = key.slice(0, 100);
  const inUse = allowed.size === 0 ? '' : ` Registered are ${listed([...allowed.keys()])}.`;
  const detail = retired.has(key)
    ? `The tag "${name}" is retired. Leave it out, or take it into use again with PUT /tags/${encodeURIComponent(key)}.`
    : `The tag "${name}" is not registered. Leave it out, or register it with PUT /tags/{key}.${inUse}`;
  return { pointer: pointerTo(key), code: 'TAG_NOT_REGISTERED', detail };
}

function missing(keys: readonly string[], eventType: string): TagProblem {
  const [first = ''] = keys;
  const what = keys.length === 1 ? `the tag ${listed(keys)}` : `the tags ${listed(keys)}`;
  const detail = `Events of type "${eventType}" need ${what} in "metadata.tags". Add what is missing, or take the event type out of "required_for" with PUT /tags/{key}.`;
  return { pointer: pointerTo(first), code: 'TAG_REQUIRED', detail };
}

function shown(value: MetadataValue | undefined): string {
  const number = typeof value === 'object' && value !== null ? numberTextOf(value) : null;
  return short(number ?? JSON.stringify(value));
}

const short = (text: string): string => (text.length > shownMax ? `${text.slice(0, shownMax)}…` : text);

function pointerTo(key: string): string {
  return `/metadata/tags/${escapedToken(key.slice(0, 100))}`;
}
