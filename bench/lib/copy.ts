/** The floor of the work: the same rows into the same table, with its keys and indexes, by COPY. */
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Pool } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { partitionOf } from '../../src/storage/partition.js';
import type { BenchEvent } from './events.js';

const copySql = `COPY telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata) FROM STDIN`;

/** What COPY's text format cannot hold as it is. */
const escaped = (text: string): string => text.replaceAll('\\', '\\\\');

/** Any 63-bit number that differs from its neighbours: the digest adds them up, whatever they are. */
const hashOf = (index: number): bigint => (BigInt(index + 1) * 4_611_686_018_427_387_847n) & 0x7fff_ffff_ffff_ffffn;

/** COPY text of `batch` rows each, made before the clock starts. */
export function copyChunks(events: readonly BenchEvent[], batch: number): string[] {
  const chunks: string[] = [];
  for (let start = 0; start < events.length; start += batch) {
    const rows = events.slice(start, start + batch).map((event, index) => {
      const { customer_id, event_id, event_type, event_time, metadata } = event;
      const key = `${customer_id}\t\t${event_id}\t${partitionOf(customer_id)}`;
      return `${key}\t${event_type}\t${event_time}\t${hashOf(start + index)}\t${escaped(JSON.stringify(metadata))}\n`;
    });
    chunks.push(rows.join(''));
  }
  return chunks;
}

const eventsPerPart = 100_000;

/** Loads many events, a part at a time, so that they are never in memory together. */
export async function loadInParts(
  pool: Pool,
  count: number,
  part: (size: number, loaded: number) => readonly BenchEvent[],
): Promise<void> {
  for (let loaded = 0; loaded < count; loaded += eventsPerPart) {
    await copyAll(pool, copyChunks(part(Math.min(eventsPerPart, count - loaded), loaded), 10_000), 4);
  }
}

/** A statement and commit a chunk. */
export async function copyAll(pool: Pool, chunks: readonly string[], connections: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    const client = await pool.connect();
    try {
      for (let chunk = chunks[next++]; chunk !== undefined; chunk = chunks[next++]) {
        await pipeline(Readable.from([chunk]), client.query(copyFrom(copySql)));
      }
    } finally {
      client.release();
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
}
