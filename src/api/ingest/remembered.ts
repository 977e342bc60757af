/** Reference facts that every event is held against, remembered for a moment: what another process changed shows that much later. */
const rememberedMs = 1_000;

export class Remembered<T> {
  private cached: { readonly at: number; readonly value: Promise<T> } | null = null;

  constructor(private readonly read: () => Promise<T>) {}

  /** Rejects as `read` does; a failure is not remembered. */
  get(): Promise<T> {
    const now = performance.now();
    if (this.cached !== null && now - this.cached.at < rememberedMs) return this.cached.value;
    const entry = { at: now, value: this.read() };
    this.cached = entry;
    entry.value.catch(() => {
      if (this.cached === entry) this.cached = null;
    });
    return entry.value;
  }

  /** To be called after this process changed it. */
  forget(): void {
    this.cached = null;
  }
}
