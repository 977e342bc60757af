const rememberedMs = 10_000;

/** What a scrape asks the database for, at most once in a while. */
export function remembering<T>(read: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | null = null;
  return () => {
    const now = performance.now();
    if (last === null || now - last.at >= rememberedMs) last = { at: now, answer: read() };
    return last.answer;
  };
}
