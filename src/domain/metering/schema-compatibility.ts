/** Which change of an event type's schema is accepted. */
import type { JsonSchemaObject } from './json-schema.js';
import { gapsBetween, type Gap } from './schema-subset.js';

/**
 * `backward`: what an earlier version accepts the new one accepts, so that senders need not change. `forward`: what the new one
 * accepts the earlier ones accept, so that readers need not change. `full`: both. `none`: versions are not compared.
 */
export const compatibilityModes = ['backward', 'forward', 'full', 'none'] as const;
export type CompatibilityMode = (typeof compatibilityModes)[number];

/** Of the first version of an event type that does not say. */
export const defaultCompatibility: CompatibilityMode = 'backward';

/** Who breaks so much in some versions need not be told of the others. */
const reasonsEnough = 50;

export interface Incompatibility {
  /** JSON pointer into the new schema. */
  readonly pointer: string;
  readonly detail: string;
}

/**
 * What of a new version breaks which earlier one; empty where nothing does, for certain. Compared with all earlier versions,
 * because events of each lie in the ledger.
 * @param earlier the one that matters most first
 */
export function incompatibilities(
  schema: JsonSchemaObject,
  earlier: readonly { readonly version: number; readonly schema: JsonSchemaObject }[],
  mode: CompatibilityMode,
): readonly Incompatibility[] {
  const found = new Map<string, { readonly pointer: string; readonly versions: number[]; readonly say: Say }>();
  const note = (version: number, pointer: string, say: Say): void => {
    const key = `${pointer}\n${say('')}`;
    const known = found.get(key) ?? { pointer, versions: [], say };
    found.set(key, known);
    if (!known.versions.includes(version)) known.versions.push(version);
  };
  for (const { version, schema: other } of earlier) {
    if (found.size >= reasonsEnough) break;
    if (mode === 'backward' || mode === 'full') {
      for (const gap of gapsBetween(other, schema, 'metadata')) note(version, gap.wide, backward(gap));
    }
    if (mode === 'forward' || mode === 'full') {
      for (const gap of gapsBetween(schema, other, 'metadata')) note(version, gap.narrow, forward(gap));
    }
  }
  return [...found.values()].map(({ pointer, versions, say }) => ({ pointer, detail: say(namesOf(versions)) }));
}

type Say = (versions: string) => string;

const backward =
  ({ keyword, detail }: Gap): Say =>
  (versions) =>
    `Backward: ${quoted(keyword)}${detail}, which ${versions} did not ask for: events that were right by it may be refused. ` +
    `Loosen it here${keyword === 'required' ? ' (make it optional)' : ''}, or use a new event type.`;

const forward =
  ({ keyword, detail, wide }: Gap): Say =>
  (versions) =>
    `Forward: by ${versions} ${detail} (${quoted(keyword)}at "${wide}"), and this schema accepts more: who reads by it would not ` +
    `understand such events. Ask for the same here, or use a new event type.`;

const quoted = (keyword: string): string => (keyword === '' ? '' : `"${keyword}" `);

function namesOf(versions: readonly number[]): string {
  const sorted = [...versions].sort((a, b) => a - b);
  return `version${sorted.length > 1 ? 's' : ''} ${sorted.join(', ')}`;
}
