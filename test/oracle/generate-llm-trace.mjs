#!/usr/bin/env node
/**
 * Writes a trace of LLM requests in the shape that the oracle reads. The same options give the same bytes everywhere: all
 * arithmetic is on integers.
 *
 *   node test/oracle/generate-llm-trace.mjs [--rows 20000] [--seed 1] [--from 2023-11-01] [--days 30] [--out FILE]
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const ticksPerMs = 10_000n; // a tick is 100 ns, the resolution of such traces
const ticksPerDay = 86_400_000n * ticksPerMs;

/** Marsaglia's xorshift on 32 bits: small, fast, and the same on every machine. */
function generator(seed) {
  let state = (Math.imul(seed, 2_654_435_761) ^ 0x9e3779b9) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** Many short ones, few long ones, as people ask and models answer. */
function tokens(random, [short, long, longest]) {
  const kind = random(100);
  if (kind < 60) return 1 + random(short);
  if (kind < 95) return short + random(long - short);
  return long + random(longest - long);
}

function timestamp(ticks) {
  const iso = new Date(Number(ticks / ticksPerMs)).toISOString();
  const fraction = String(ticks % (1000n * ticksPerMs)).padStart(7, '0');
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}.${fraction}`;
}

/** The lines of the file, header first. */
export function* llmTrace({ rows, seed, from, days }) {
  const random = generator(seed);
  const start = BigInt(Date.parse(`${from}T00:00:00Z`)) * ticksPerMs;
  const span = BigInt(days) * ticksPerDay;
  const step = span / BigInt(rows);
  yield 'TIMESTAMP,ContextTokens,GeneratedTokens';
  for (let row = 0; row < rows; row += 1) {
    // Somewhere in the row's own share of the time: irregular, and still in order.
    const within = (step * BigInt(random(1_000_000))) / 1_000_000n;
    const input = tokens(random, [400, 2_000, 14_000]);
    const output = tokens(random, [120, 500, 1_000]);
    yield `\r\n${timestamp(start + step * BigInt(row) + within)},${input},${output}`;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '2023-11-01' },
      days: { type: 'string', default: '30' },
      out: { type: 'string' },
    },
  });
  const options = {
    from: values.from,
    rows: Number(values.rows),
    seed: Number(values.seed),
    days: Number(values.days),
  };
  const whole = [options.rows, options.seed, options.days].every((value) => Number.isSafeInteger(value) && value > 0);
  if (!whole || Number.isNaN(Date.parse(`${options.from}T00:00:00Z`))) {
    process.stderr.write(
      '--rows, --seed and --days are whole numbers above zero, --from is a day such as 2023-11-01\n',
    );
    process.exit(2);
  }
  await pipeline(
    Readable.from(llmTrace(options)),
    values.out === undefined ? process.stdout : createWriteStream(values.out),
  );
}
