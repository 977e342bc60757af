/** Bodies that are small on the way and large in memory, or that hardly come at all. */
import { PassThrough, type Readable } from 'node:stream';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { Admission } from '../../src/api/ingest/admission.js';
import type { EventIngest } from '../../src/api/ingest/event-ingest.js';
import { ingestLimits } from '../../src/api/ingest/limits.js';
import { EventReceiver } from '../../src/api/ingest/receive-events.js';
import { inflateWhole, readChunks } from '../../src/api/ingest/request-body.js';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a compressed body', () => {
  const text = Buffer.from(`${' '.repeat(4 * MiB)}{}`);

  test.each([
    ['gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
  ])('in %s asks for room before it takes it, and stops where there is none', async (encoding, bytes) => {
    const asked: number[] = [];
    const lease = { resize: (size: number) => void asked.push(size) };
    expect((await inflateWhole({ bytes, encoding, lease })).equals(text)).toBe(true);
    expect(asked.at(-1)).toBe(bytes.length + text.length);
    const steps = asked.map((size, index) => size - (asked[index - 1] ?? bytes.length));
    expect(Math.max(...steps)).toBeLessThanOrEqual(64 * KiB);

    let most = 0;
    const full = new Error('no room');
    const resize = (size: number): void => {
      most = size;
      if (size > MiB) throw full;
    };
    await expect(inflateWhole({ bytes, encoding, lease: { resize } })).rejects.toBe(full);
    expect(most).toBeLessThanOrEqual(MiB + 64 * KiB);
  });

  /** Its requests stay until they are let go. */
  function receiver(limit: number) {
    const admission = new Admission({ bytes: limit, streams: 1 });
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const sizes: number[] = [];
    const ingest = {
      ingest: async (body: Buffer) => {
        sizes.push(body.length);
        await held;
      },
    } as unknown as EventIngest;
    const receive = (bytes: Buffer): Promise<string> =>
      new EventReceiver(ingest, admission)
        .receive({ mediaType: 'application/json', bytes }, { 'content-encoding': 'gzip' }, {})
        .then(
          () => 'taken',
          (error: unknown) => String((error as { readonly code?: unknown }).code),
        );
    return { admission, sizes, receive, letGo: () => letGo() };
  }

  test('of forty bombs as many are inflated as there is room for; the others are told to come back', async () => {
    const { admission, sizes, receive, letGo } = receiver(16 * MiB);
    const bomb = gzipSync(text);
    const answers = Array.from({ length: 40 }, () => receive(bomb));
    let refused = 0;
    for (const answer of answers) void answer.then((code) => (refused += code === 'OVER_CAPACITY' ? 1 : 0));
    while (refused + sizes.length < 40) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(admission.bytes).toBeLessThanOrEqual(16 * MiB);
    }
    letGo();
    await Promise.all(answers);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.length).toBeLessThanOrEqual(4);
    expect(admission.bytes).toBe(0);
  });

  test('small ones are all taken at the same time', async () => {
    const { sizes, receive, letGo } = receiver(MiB);
    const answers = Array.from({ length: 100 }, () => receive(gzipSync(Buffer.from('{}'.padEnd(KiB)))));
    while (sizes.length < 100) await new Promise((resolve) => setImmediate(resolve));
    letGo();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['taken']));
  });
});

describe('a stream', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] }));
  afterEach(() => void jest.useRealTimers());

  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };

  /** Reads it as fast as it comes, unless the consumer is told to take its time. */
  function reading(payload: Readable, consume: () => Promise<void> = () => Promise.resolve()) {
    const state: { bytes: number; ended: string | null } = { bytes: 0, ended: null };
    const run = async (): Promise<void> => {
      for await (const chunk of readChunks({ payload, encoding: undefined })) {
        state.bytes += chunk.length;
        await consume();
      }
    };
    void run().then(
      () => (state.ended = 'done'),
      (error: unknown) => (state.ended = String(error)),
    );
    return state;
  }

  test('that trickles is ended, however regularly a byte comes', async () => {
    const payload = new PassThrough();
    const state = reading(payload);
    let rounds = 0;
    for (; state.ended === null && rounds < 20; rounds += 1) {
      payload.write('x');
      await turns();
      jest.advanceTimersByTime(29_000);
    }
    expect(state.ended).toContain('too slowly');
    expect(rounds).toBeLessThanOrEqual(5);
  });

  test('that comes slowly, but comes, is read to its end', async () => {
    const payload = new PassThrough();
    const state = reading(payload);
    const piece = Buffer.alloc(ingestLimits.streamPaceBytes / 2);
    for (let round = 0; round < 20; round += 1) {
      payload.write(piece);
      await turns();
      jest.advanceTimersByTime(29_000);
    }
    payload.end();
    await turns();
    expect(state).toEqual({ bytes: 20 * piece.length, ended: 'done' });
  });

  test('is not charged with the time that the ledger takes', async () => {
    const payload = new PassThrough();
    const slowLedger = (): Promise<void> => {
      jest.advanceTimersByTime(120_000);
      return Promise.resolve();
    };
    const state = reading(payload, slowLedger);
    for (let round = 0; round < 10; round += 1) {
      payload.write('x');
      await turns();
    }
    payload.end();
    await turns();
    expect(state).toEqual({ bytes: 10, ended: 'done' });
  });
});
