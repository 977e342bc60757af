/** POST /events from its bytes on: which notation they are in, and how much of them may be in memory. */
import type { Readable } from 'node:stream';
import type { Admission } from './admission.js';
import type { EventIngest, IngestAnswer, SentFor } from './event-ingest.js';
import {
  parseBinaryCloudEvent,
  parseCloudEvent,
  parseCloudEventBatch,
  parseEventsBody,
  type EventsBody,
} from './parse-body.js';
import { isBinaryMode } from './read-cloud-event.js';
import { inflateWhole, readChunks, readWhole } from './request-body.js';
import { ingestLines, type StreamAnswer } from './stream-ingest.js';

/** Bodies that are read as a whole, by media type. */
const wholeBodies = {
  'application/json': parseEventsBody,
  'application/cloudevents+json': parseCloudEvent,
  'application/cloudevents-batch+json': parseCloudEventBatch,
} as const satisfies Readonly<Record<string, (body: Buffer) => EventsBody>>;

export type WholeMediaType = keyof typeof wholeBodies;
export const wholeMediaTypes = Object.keys(wholeBodies) as readonly WholeMediaType[];

/** Read while they come. */
export const linesMediaType = 'application/x-ndjson';

export const eventMediaTypes = [...wholeMediaTypes, linesMediaType] as const;
export type EventMediaType = (typeof eventMediaTypes)[number];

/** A body of events that has come. */
export interface WholeBody {
  readonly mediaType: WholeMediaType;
  readonly bytes: Buffer;
}

export interface EventHeaders extends Readonly<Record<string, unknown>> {
  readonly 'content-encoding'?: string | undefined;
  readonly 'content-length'?: string | undefined;
}

export class EventReceiver {
  constructor(
    private readonly ingest: EventIngest,
    private readonly admission: Admission,
  ) {}

  /** Reads a body, as far as there is room for it; see `readWhole`. */
  read(payload: Readable, headers: EventHeaders, done: (error: Error | null, bytes?: Buffer) => void): void {
    readWhole(payload, { length: headers['content-length'], lease: this.admission.request() }, done);
  }

  /**
   * @throws DomainFailure what a body or one event is refused for (`EventIngest.ingest`), UNSUPPORTED_MEDIA_TYPE,
   *   BODY_TOO_LARGE, INVALID_JSON (cannot be inflated), OVER_CAPACITY
   * @throws StorageUnavailable when it is not known to be committed
   */
  async receive({ mediaType, bytes }: WholeBody, headers: EventHeaders, sent: SentFor): Promise<IngestAnswer> {
    const encoding = headers['content-encoding'];
    const lease = this.admission.request();
    try {
      lease.resize(bytes.length);
      const body = encoding === undefined ? bytes : await inflateWhole({ bytes, encoding, lease });
      if (body !== bytes) lease.resize(body.length);
      const binary = mediaType === 'application/json' && isBinaryMode(headers);
      const parse = binary
        ? (data: Buffer): EventsBody => parseBinaryCloudEvent(headers, data)
        : wholeBodies[mediaType];
      return await this.ingest.ingest(body, parse, sent);
    } finally {
      lease.end();
    }
  }

  /** @throws IngestInterrupted */
  async receiveLines(payload: Readable, headers: EventHeaders, sent: SentFor): Promise<StreamAnswer> {
    const lease = this.admission.stream();
    try {
      return await ingestLines(this.ingest, readChunks({ payload, encoding: headers['content-encoding'] }), sent);
    } finally {
      lease.end();
    }
  }
}
