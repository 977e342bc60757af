/**
 * What is nearly always known already. A promise and a turn of the microtask queue for each piece of it would cost a single
 * event more than reading it does.
 */
export type Awaitable<T> = T | Promise<T>;

type Known<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/** As `Promise.all(parts).then(make)`, and at once where every part is there. */
export function whenKnown<const T extends readonly unknown[], R>(
  parts: T,
  make: (...known: Known<T>) => Awaitable<R>,
): Awaitable<R> {
  if (parts.some((part) => part instanceof Promise))
    return Promise.all(parts).then((known) => make(...(known as Known<T>)));
  return make(...(parts as unknown as Known<T>));
}
