import { invariant } from '../domain/failure.js';

/**
 * The next of values of which there is one for each that asks.
 * @param what the invariant that it stands on
 */
export function nextOf<T>(values: Iterator<T>, what: string): T {
  const next: IteratorResult<T, unknown> = values.next();
  invariant(next.done !== true, what);
  return next.value;
}
