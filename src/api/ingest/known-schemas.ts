/**
 * Schemas of event types, remembered. A version never changes, so it is compiled once; which version is the latest is remembered for
 * a moment, so what another process registered holds that much later for events that name no version. One that an event
 * names and that is not known is asked for at once.
 */
import { Lru } from '../../domain/lru.js';
import type { JsonSchemaObject } from '../../domain/metering/json-schema.js';
import type { EventSchemaStore } from '../../storage/types.js';
import { type Awaitable, whenKnown } from './awaitable.js';
import type { EventFormat, EventItem } from './event-format.js';
import { compileEventSchema, type SchemaValidator } from './event-schema-validator.js';
import { isObject } from './event-shape.js';
import { Remembered } from './remembered.js';

/** So many compiled versions are remembered. */
const compiledMax = 1_000;

/** What the events of one request are validated against. */
export interface RequestSchemas {
  /**
   * @param named the version that the event names
   * @returns null: the type has no schema, and none is named
   */
  of(eventType: string, named: number | undefined): SchemaInUse | UnusableSchema | UnknownSchema | null;
}

export interface SchemaInUse {
  readonly version: number;
  readonly validate: SchemaValidator;
}

/** A version that was registered and cannot be evaluated any more, such as one with a pattern that is not taken today (RULES 75). */
export interface UnusableSchema {
  readonly version: number;
  /** Why, in sentences. */
  readonly unusable: string;
}

/** The named version does not exist. */
export interface UnknownSchema {
  /** 0: there is none. */
  readonly latest: number;
}

/** What is said where a version does not exist; @param latest version of the event type, 0: there is none */
export function noSuchSchema(eventType: string, version: number, latest: number): string {
  const existing = latest === 0 ? 'it has none' : latest === 1 ? 'it has version 1' : `it has versions 1 to ${latest}`;
  return `There is no version ${version} of a schema of the event type "${eventType}": ${existing}.`;
}

/** An event's type and the version that it names, if any. */
export interface SchemaNeed {
  readonly eventType: string;
  readonly named: number | undefined;
}

type Latest = ReadonlyMap<string, number>;

export class KnownSchemas {
  private readonly latest: Remembered<Latest>;
  private readonly compiled = new Lru<string, Promise<SchemaInUse | UnusableSchema>>(compiledMax);

  constructor(private readonly store: Pick<EventSchemaStore, 'latestVersions' | 'find'>) {
    this.latest = new Remembered(() => store.latestVersions());
  }

  /**
   * For the items of a request, of any shape; null: they need none.
   * @throws StorageUnavailable
   */
  among(items: readonly EventItem[], format: EventFormat): Awaitable<RequestSchemas | null> {
    return whenKnown([this.latest.get()], (latest) => {
      const needs = needsOf(items, format, latest);
      return needs.length === 0 ? null : this.forNeeds(needs, latest);
    });
  }

  /** @throws StorageUnavailable */
  async forOne(need: SchemaNeed): Promise<RequestSchemas> {
    return this.forNeeds([need], await this.latest.get());
  }

  /** To be called after this process added a version. */
  forget(): void {
    this.latest.forget();
  }

  private async forNeeds(needs: readonly SchemaNeed[], remembered: Latest): Promise<RequestSchemas> {
    const isMissing = ({ eventType, named = 0 }: SchemaNeed): boolean => named > (remembered.get(eventType) ?? 0);
    if (needs.some(isMissing)) this.latest.forget();
    const latest = await this.latest.get();
    const found = new Map<string, SchemaInUse | UnusableSchema>();
    for (const { eventType, named } of needs) {
      const known = latest.get(eventType) ?? 0;
      const version = named ?? known;
      if (version > 0 && version <= known && !found.has(keyOf(eventType, version))) {
        found.set(keyOf(eventType, version), await this.compile(eventType, version));
      }
    }
    return {
      of: (eventType, named) => {
        const version = named ?? latest.get(eventType);
        if (version === undefined) return null;
        // A type that got its first schema meanwhile had none when the request came.
        return (
          found.get(keyOf(eventType, version)) ?? (named === undefined ? null : { latest: latest.get(eventType) ?? 0 })
        );
      },
    };
  }

  private compile(eventType: string, version: number): Promise<SchemaInUse | UnusableSchema> {
    const key = keyOf(eventType, version);
    const known = this.compiled.get(key);
    if (known !== undefined) return known;
    const made = this.store.find(eventType, version).then((stored) => {
      if (stored === null)
        throw new Error(`invariant broken: version ${version} of the schema of "${eventType}" is there`);
      return usable(version, stored.schema);
    });
    this.compiled.set(key, made);
    made.catch(() => {
      this.compiled.delete(key);
    });
    return made;
  }
}

/** One version that cannot be compiled refuses its own events, and holds up nothing else. */
function usable(version: number, schema: JsonSchemaObject): SchemaInUse | UnusableSchema {
  try {
    return { version, validate: compileEventSchema(schema) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { version, unusable: error.message };
  }
}

const keyOf = (eventType: string, version: number): string => `${version} ${eventType}`;

function needsOf(items: readonly EventItem[], format: EventFormat, latest: Latest): readonly SchemaNeed[] {
  const needs = new Map<string, SchemaNeed>();
  for (const item of items) {
    if (!isObject(item)) continue;
    const named = format.schemaVersionOf(item);
    // While there are no schemas that is all that they cost.
    if (named === undefined && latest.size === 0) continue;
    const eventType = item[format.eventTypeKey];
    if (typeof eventType !== 'string' || (named === undefined && !latest.has(eventType))) continue;
    const key = keyOf(eventType, named ?? 0);
    if (!needs.has(key)) needs.set(key, { eventType, named });
  }
  return [...needs.values()];
}
