/** What one request and one event may be. docs/reference/LIMITS.md states them to clients. */
export const ingestLimits = {
  /** Of a body that is read as a whole: as it is sent, and inflated. */
  bodyBytes: 5 * 1024 * 1024,
  eventsPerRequest: 10_000,
  /** Of a stream of lines, inflated. */
  streamBytes: 64 * 1024 * 1024,
  streamLines: 1_000_000,
  /** One line of a stream. An event at its other limits takes less, however its characters are escaped. */
  lineBytes: 128 * 1024,
  /** A stream's answer lists this many duplicates and this many rejected events; it counts all of them. */
  streamResults: 5_000,
  /** A body, once begun, may pause this long (ms). */
  bodyPauseMs: 30_000,
  /** While a stream is waited for so long (ms), at least so many bytes of it come, as they are sent. */
  streamPaceMs: 60_000,
  streamPaceBytes: 256 * 1024,
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
  /** A malformed event is written so far to tell it from others; more than a line of a stream can hold. */
  malformedCharacters: 256 * 1024,
} as const;
