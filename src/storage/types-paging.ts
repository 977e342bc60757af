/** Pages of lists. */

export interface PageRequest {
  readonly limit: number;
  /** Opaque; from the page before. Throws INVALID_CURSOR when it is not one of ours. */
  readonly cursor?: string;
}
export interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}
