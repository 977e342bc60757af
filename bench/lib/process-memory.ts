/** What /metrics says of the memory of the API's process. */
import type { Figure } from './measure.js';

export interface Memory {
  readonly residentMiB: number;
  readonly heapMiB: number;
}

const mebibyte = 2 ** 20;

export async function memoryOf(url: string): Promise<Memory> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const mebibytes = (name: string): number => {
    const value = new RegExp(String.raw`^${name} (\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`/metrics has no ${name}`);
    return Math.round(Number(value) / mebibyte);
  };
  return { residentMiB: mebibytes('process_resident_memory_bytes'), heapMiB: mebibytes('nodejs_heap_size_used_bytes') };
}

/** Growth that never ends shows in the second half; what is only room to move does not exceed this share of the first. */
const roomToMove = 1.25;

/** @param during looks at equal distances, the first of them not at the very beginning */
export function memoryFigure(
  row: string,
  { before, during, note }: { readonly before: Memory; readonly during: readonly Memory[]; readonly note: string },
): Figure {
  const resident = during.map(({ residentMiB }) => residentMiB);
  const heap = during.map(({ heapMiB }) => heapMiB);
  const half = Math.floor(resident.length / 2);
  const [first, second] = [Math.max(...resident.slice(0, half)), Math.max(...resident.slice(half))];
  return {
    kind: 'figure',
    row,
    value: `${before.residentMiB} → ${resident.at(-1) ?? 0} MiB, at most ${Math.max(first, second)}`,
    note: `resident set of the API; ${note}: ${resident.join(', ')}; of it JavaScript heap in use: ${before.heapMiB} before, then ${heap.join(', ')}`,
    limit: { text: `second half ≤ ${roomToMove} × the first`, met: second <= roomToMove * first },
  };
}
