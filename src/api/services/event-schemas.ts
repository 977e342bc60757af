/** The schema registry: what the metadata of an event type must be, in versions that never change. */
import { DomainFailure, invariant } from '../../domain/failure.js';
import type { JsonSchemaObject } from '../../domain/metering/json-schema.js';
import {
  defaultCompatibility,
  incompatibilities,
  type CompatibilityMode,
} from '../../domain/metering/schema-compatibility.js';
import { unreadableByMeters } from '../../domain/metering/schema-consumers.js';
import { sameValue } from '../../domain/metering/schema-equality.js';
import type { EventSchemaVersion, Storage } from '../../storage/types.js';
import type { ExactJson } from '../ingest/exact-json.js';
import { noSuchSchema, type KnownSchemas } from '../ingest/known-schemas.js';
import { issuesMax, RequestRefused, type ProblemIssue } from '../problem.js';
import { readEventSchema } from './event-schema-reading.js';

export interface EventSchemaDependencies {
  readonly storage: Pick<Storage, 'eventSchemas' | 'reference'>;
  readonly known: KnownSchemas;
}

export interface NewEventSchema {
  readonly eventType: string;
  readonly schema: ExactJson;
  /** By default that of the latest version. */
  readonly compatibility: CompatibilityMode | undefined;
  readonly actor: string;
}

/** A version as it would be stored. */
export type EventSchemaDraft = Omit<EventSchemaVersion, 'createdAt'>;

interface NextVersion {
  readonly draft: EventSchemaDraft;
  /** How many of its meters it was held against; null: none were looked at. */
  readonly meters: number | null;
}

/** Somebody else added a version, or a meter, at the same time; each attempt sees one more. */
const attemptsMax = 50;

export class EventSchemaService {
  constructor(private readonly deps: EventSchemaDependencies) {}

  /**
   * Adds the next version, unless the latest says the same: schema and compatibility, which the version after it inherits.
   * @throws DomainFailure INVALID_SCHEMA, INCOMPATIBLE_SCHEMA
   */
  async add(request: NewEventSchema): Promise<{ readonly stored: EventSchemaVersion; readonly created: boolean }> {
    const schema = readEventSchema(request.schema);
    for (let attempt = 1; ; attempt += 1) {
      const next = await this.next(request, schema);
      if ('stored' in next) return { stored: next.stored, created: false };
      const stored = await this.deps.storage.eventSchemas.append(next.draft, next.meters);
      if (stored !== null) {
        this.deps.known.forget();
        return { stored, created: true };
      }
      invariant(attempt < attemptsMax, `the schema of "${request.eventType}" gets a version number`);
    }
  }

  /**
   * What `add` would answer; nothing is stored.
   * @throws as `add`
   */
  async check(request: NewEventSchema): Promise<EventSchemaDraft> {
    const next = await this.next(request, readEventSchema(request.schema));
    return 'stored' in next ? next.stored : next.draft;
  }

  /** @throws DomainFailure UNKNOWN_SCHEMA_VERSION */
  async find(eventType: string, version: number): Promise<EventSchemaVersion> {
    const found = await this.deps.storage.eventSchemas.find(eventType, version);
    if (found !== null) return found;
    const latest = (await this.deps.storage.eventSchemas.latestVersions()).get(eventType) ?? 0;
    throw new DomainFailure('UNKNOWN_SCHEMA_VERSION', noSuchSchema(eventType, version, latest));
  }

  private async next(
    { eventType, compatibility: asked, actor }: NewEventSchema,
    schema: JsonSchemaObject,
  ): Promise<{ readonly stored: EventSchemaVersion } | NextVersion> {
    const { eventSchemas, reference } = this.deps.storage;
    const earlier = await eventSchemas.versions(eventType);
    const latest = earlier.at(-1);
    const compatibility = asked ?? latest?.compatibility ?? defaultCompatibility;
    const isSameContent = latest !== undefined && sameValue(latest.schema, schema);
    if (isSameContent && latest.compatibility === compatibility) return { stored: latest };
    const version = (latest?.version ?? 0) + 1;
    const draft = { eventType, version, schema, compatibility, createdBy: actor };
    // With the same content only the mode changes: for what comes next, since nothing is refused or taken that was not before.
    if (compatibility === 'none' || isSameContent) return { draft, meters: null };
    const meters = (await reference.meterVersions()).filter((meter) => meter.eventType === eventType);
    requireNone([
      ...incompatibilities(schema, earlier.toReversed(), compatibility),
      ...unreadableByMeters(schema, meters, latest?.schema ?? null),
    ]);
    return { draft, meters: meters.length };
  }
}

function requireNone(reasons: readonly { readonly pointer: string; readonly detail: string }[]): void {
  const issue = ({ pointer, detail }: (typeof reasons)[number]): ProblemIssue => ({
    pointer: `/schema${pointer}`,
    code: 'INCOMPATIBLE_SCHEMA',
    detail,
  });
  const [first, ...others] = reasons.slice(0, issuesMax + 1).map(issue);
  if (first !== undefined) throw new RequestRefused([first, ...others]);
}
