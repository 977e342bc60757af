/** The bytes of a request: read within limits, inflated where they were sent compressed. */
import type { Readable, Transform } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  gunzip,
  inflate,
  type ZlibOptions,
} from 'node:zlib';
import { DomainFailure } from '../../domain/failure.js';
import type { Lease } from './admission.js';
import { ingestLimits } from './limits.js';

/** A body that is still to be read, with the header `Content-Encoding`. */
export interface BodyStream {
  readonly payload: Readable;
  readonly encoding: string | undefined;
}

/** What zlib has read of what it was given: it stops, without a word, where what was compressed ends. */
interface Consumed {
  readonly bytesWritten: number;
}

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: Consumed;
}

interface Coding {
  readonly whole: (bytes: Buffer, options: ZlibOptions) => Promise<Inflated>;
  readonly stream: () => Transform & Consumed;
}

/** With the option `info` zlib calls back with more than its types say. */
const whole = (inflating: typeof gunzip): Coding['whole'] =>
  promisify(inflating as unknown as (bytes: Buffer, options: ZlibOptions, done: InflateDone) => void);
type InflateDone = (error: Error | null, result: Inflated) => void;

const codings: ReadonlyMap<string, Coding> = new Map([
  ['gzip', { whole: whole(gunzip), stream: createGunzip }],
  ['deflate', { whole: whole(inflate), stream: createInflate }],
  ['br', { whole: whole(brotliDecompress), stream: createBrotliDecompress }],
]);

/** For the header `Accept-Encoding` of a refusal (RFC 9110, 15.5.16). */
export const acceptedEncodings = [...codings.keys()].join(', ');

/** @throws DomainFailure UNSUPPORTED_MEDIA_TYPE */
function codingOf(encoding: string | undefined): Coding | null {
  if (encoding === undefined || encoding === '' || encoding.toLowerCase() === 'identity') return null;
  const coding = codings.get(encoding.toLowerCase());
  if (coding !== undefined) return coding;
  const detail = `"Content-Encoding: ${encoding.slice(0, 60)}" is not taken here; possible: ${acceptedEncodings}, one of them, once.`;
  throw new DomainFailure('UNSUPPORTED_MEDIA_TYPE', detail);
}

/** How a body that is read as a whole is bounded while it comes. */
export interface BodyBounds {
  /** The header `Content-Length`. */
  readonly length: string | undefined;
  /** Grows with what has come; it ends when all of it has. */
  readonly lease: Lease;
}

/**
 * The whole body as it was sent. It listens and calls back, and sets no timer for a body that comes in one piece: the cheapest way
 * for the small bodies that nearly all are.
 * @param done gets BODY_TOO_LARGE, OVER_CAPACITY, or what broke the connection
 */
export function readWhole(
  payload: Readable,
  { length, lease }: BodyBounds,
  done: (error: Error | null, bytes?: Buffer) => void,
): void {
  const declared = length === undefined ? Infinity : Number(length);
  const chunks: Buffer[] = [];
  let size = 0;
  let pause: NodeJS.Timeout | undefined;
  const end = (error: Error | null): void => {
    payload.off('data', take).off('end', finish).off('error', end);
    clearTimeout(pause);
    lease.end();
    if (error === null) done(null, Buffer.concat(chunks, size));
    else done(error);
  };
  const finish = (): void => end(null);
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    try {
      if (size > ingestLimits.bodyBytes) throw tooLarge();
      lease.resize(size);
    } catch (error) {
      throwAway(payload);
      end(error as Error);
      return;
    }
    chunks.push(chunk);
    if (size >= declared) return;
    pause ??= endWhenPausing(payload);
    pause.refresh();
  };
  if (declared > ingestLimits.bodyBytes && length !== undefined) {
    throwAway(payload);
    end(tooLarge());
  } else payload.on('data', take).on('end', finish).on('error', end);
}

/** Reads the rest for nothing, so that its sender gets to read the answer. */
function throwAway(payload: Readable): void {
  payload.on('error', () => undefined).resume();
}

/**
 * @param encoding the header `Content-Encoding`
 * @throws DomainFailure UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, INVALID_JSON (cannot be inflated)
 */
export async function inflateWhole(bytes: Buffer, encoding: string): Promise<Buffer> {
  const coding = codingOf(encoding);
  if (coding === null) return bytes;
  let inflated: Inflated;
  try {
    inflated = await coding.whole(bytes, { maxOutputLength: ingestLimits.bodyBytes, info: true });
  } catch (error) {
    throw refusalOfInflate(error);
  }
  requireAllRead(inflated.engine, bytes.length);
  return inflated.buffer;
}

/**
 * The bytes as they come, inflated. Reading stops while the consumer is busy, so a sender is never faster than the ledger.
 * What the consumer leaves unread is read and thrown away, so that the sender gets to read the answer.
 * @throws DomainFailure UNSUPPORTED_MEDIA_TYPE, INVALID_JSON (cannot be inflated)
 */
export async function* readChunks({ payload, encoding }: BodyStream): AsyncGenerator<Buffer> {
  const coding = codingOf(encoding);
  const inflating = coding === null ? null : coding.stream();
  const source = inflating ?? payload;
  let received = 0;
  let pause = endWhenPausing(payload);
  try {
    if (inflating !== null) {
      payload.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      payload.on('error', (error) => inflating.destroy(error));
      payload.pipe(inflating);
    }
    for await (const chunk of source.iterator({ destroyOnReturn: inflating !== null })) {
      clearTimeout(pause);
      yield chunk as Buffer;
      pause = endWhenPausing(payload);
    }
    if (inflating !== null) requireAllRead(inflating, received);
  } catch (error) {
    throw refusalOfInflate(error);
  } finally {
    clearTimeout(pause);
    if (inflating !== null) payload.unpipe(inflating);
    payload.resume();
  }
}

/** What follows would be lost in silence. (gzip goes on with a further member by itself.) */
function requireAllRead({ bytesWritten }: Consumed, received: number): void {
  if (bytesWritten >= received) return;
  const detail = `What was compressed ends after ${bytesWritten} of ${received} bytes. Send one compressed text a request, and nothing behind it.`;
  throw new DomainFailure('INVALID_JSON', detail);
}

/** Ends the connection of a sender that begins a body and does not go on: it would hold its place for ever. */
function endWhenPausing(payload: Readable): NodeJS.Timeout {
  return setTimeout(() => payload.destroy(new Error('the body paused for too long')), ingestLimits.bodyPauseMs);
}

function tooLarge(): DomainFailure {
  const detail = `The body is larger than ${ingestLimits.bodyBytes / 1024 / 1024} MiB. Send it in parts, or as application/x-ndjson.`;
  return new DomainFailure('BODY_TOO_LARGE', detail);
}

/** What zlib says of bytes that are not what they are said to be, or are too many. Other errors stay as they are. */
function refusalOfInflate(error: unknown): unknown {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (code === 'ERR_BUFFER_TOO_LARGE') return tooLarge();
  if (typeof code !== 'string' || !/^(Z_|ERR__ERROR_|ERR_BROTLI_)/.test(code)) return error;
  return new DomainFailure(
    'INVALID_JSON',
    'The body cannot be inflated: it is not what Content-Encoding says, or cut off.',
  );
}
