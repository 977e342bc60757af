/** What one request and one event may be. docs/reference/LIMITS.md states them to clients. */
export const ingestLimits = {
  bodyBytes: 5 * 1024 * 1024,
  eventsPerRequest: 10_000,
  idLength: 128,
  sourceLength: 256,
  provenanceLength: 256,
  metadataProperties: 64,
  metadataKeyLength: 128,
  /** The metadata of one event as JSON. */
  metadataBytes: 16 * 1024,
  /** Objects and lists inside metadata; the metadata object itself is level 1. */
  metadataDepth: 8,
  /** Of a body that could not be read, this much is kept as a dead letter. */
  deadLetterCharacters: 64 * 1024,
} as const;
