import type { Awaitable } from './awaitable.js';

/** Reference facts that every event is held against, remembered for a moment: what another process changed shows that much later. */
const rememberedMs = 1_000;

export class Remembered<T> {
  private cached: { readonly at: number; value: Awaitable<T> } | null = null;

  constructor(private readonly read: () => Promise<T>) {}

  /** What is remembered; else a promise, which rejects as `read` does: a failure is not remembered. */
  get(): Awaitable<T> {
    const now = performance.now();
    if (this.cached !== null && now - this.cached.at < rememberedMs) return this.cached.value;
    const read = this.read();
    const entry: { readonly at: number; value: Awaitable<T> } = { at: now, value: read };
    this.cached = entry;
    read.then(
      (value) => {
        entry.value = value;
      },
      () => {
        if (this.cached === entry) this.cached = null;
      },
    );
    return read;
  }

  /** To be called after this process changed it. */
  forget(): void {
    this.cached = null;
  }
}
