const rememberedMs = 10_000;

/** What a scrape asks the database for, at most once in a while, and never while it still answers the last time. */
export function remembering<T>(read: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T>; isAnswered: boolean } | null = null;
  return () => {
    const now = performance.now();
    if (last !== null && (!last.isAnswered || now - last.at < rememberedMs)) return last.answer;
    const asked = { at: now, answer: read(), isAnswered: false };
    const answered = (): void => void (asked.isAnswered = true);
    asked.answer.then(answered, answered);
    last = asked;
    return asked.answer;
  };
}
