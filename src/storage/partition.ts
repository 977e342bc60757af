/** The stored distribution key: a fixed hash of the customer, independent of how many tables there are (DESIGN 8). */

const partitionCount = 64;

const encoder = new TextEncoder();

/**
 * FNV-1a, 32 bits, over the UTF-8 bytes of the customer id, modulo 64. Fixed for ever: rows carry its result.
 */
export function partitionOf(customerId: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(customerId)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % partitionCount;
}
