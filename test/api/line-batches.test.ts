import fc from 'fast-check';
import { UnreadableLine } from '../../src/api/ingest/event-format.js';
import { ingestLimits } from '../../src/api/ingest/limits.js';
import { lineBatches, type Line } from '../../src/api/ingest/line-batches.js';

async function* pieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const sorted = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...sorted, bytes.length]) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function linesOf(bytes: Buffer, cuts: readonly number[] = []): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for await (const batch of lineBatches(pieces(bytes, cuts))) {
    expect(batch.first).toBe(lines.length);
    lines.push(...batch.lines);
  }
  return lines;
}

test('a byte order mark at the beginning is passed over, and only there', async () => {
  const mark = '\uFEFF';
  expect(await linesOf(Buffer.from(`${mark}{}\n${mark}{}\n`), [1, 2])).toEqual(['{}', `${mark}{}`]);
  expect(await linesOf(Buffer.from(mark))).toEqual(['']);
});

test('lines are the same wherever the bytes are cut', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'ä', '€', '😀', '\r', ' ', '"'), maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.boolean(), fc.array(fc.nat()), async (lines, ended, cuts) => {
      const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
      const expected = text.endsWith('\n') || text === '' ? text.split('\n').slice(0, -1) : text.split('\n');
      expect(await linesOf(Buffer.from(text), cuts)).toEqual(expected);
    }),
  );
});

test.each([1_000, 65_536, 131_072, 200_000])(
  'a line that is too long is refused as that, and alone, cut into pieces of %s bytes',
  async (size) => {
    const bytes = Buffer.from(`a\n${'€'.repeat(ingestLimits.lineBytes)}\nb\n${'€'.repeat(ingestLimits.lineBytes)}`);
    const cuts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => index * size);
    const lines = await linesOf(bytes, cuts);
    expect(lines).toHaveLength(4);
    expect([lines[0], lines[2]]).toEqual(['a', 'b']);
    for (const long of [lines[1], lines[3]]) {
      if (typeof long === 'string') expect(Buffer.byteLength(long)).toBeGreaterThan(ingestLimits.lineBytes);
      else expect(long).toMatchObject({ code: 'VALIDATION_FAILED' });
    }
  },
);

test('of a line without end no more is kept than it takes to refuse it', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (let piece = 0; piece < 500; piece += 1) yield Buffer.alloc(64 * 1024, 'x');
  }
  const sizes: number[] = [];
  for await (const { lines } of lineBatches(endless())) for (const line of lines) sizes.push(String(line).length);
  expect(sizes).toHaveLength(1);
  expect(sizes[0]).toBeGreaterThan(ingestLimits.lineBytes);
  expect(sizes[0]).toBeLessThan(ingestLimits.lineBytes + 128 * 1024);
});

test('a line that is not UTF-8 is told from those around it', async () => {
  const bytes = Buffer.concat([Buffer.from('ä\n'), Buffer.from([0xff, 0x0a]), Buffer.from('€')]);
  const lines = await linesOf(bytes);
  expect([lines[0], lines[2]]).toEqual(['ä', '€']);
  expect(lines[1]).toBeInstanceOf(UnreadableLine);
  expect(lines[1]).toMatchObject({ code: 'INVALID_JSON' });
});
