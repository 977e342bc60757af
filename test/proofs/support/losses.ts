/**
 * "Committed, but the acknowledgement was lost": a call takes effect, and whoever made it learns of an error. Then the step is
 * tried again, as Temporal (or a client) would.
 */
import { DomainFailure } from '../../../src/domain/failure.js';
import { StorageUnavailable } from '../../../src/storage/errors.js';
import type { Storage } from '../../../src/storage/types.js';
import { doesWrite } from './storage-calls.js';

const attemptsMax = 40;

export class Losses {
  /** What was lost, as step, call and its number within the attempt. */
  readonly lost = new Set<string>();
  private counts = new Map<string, number>();
  private step = 'before';

  /** @param loses whether a call of this name, which writes, loses its acknowledgement the first time it is made */
  constructor(private readonly loses: (call: string) => boolean) {}

  /** Tries until it succeeds, losing one acknowledgement more each time. */
  async untilDone<T>(
    step: string,
    attempt: (number: number) => Promise<T>,
    isFinal: (error: unknown) => boolean,
  ): Promise<T> {
    this.step = step;
    for (let number = 1; ; number += 1) {
      this.counts = new Map();
      try {
        return await attempt(number);
      } catch (error) {
        if (isFinal(error) || number === attemptsMax) throw error;
      }
    }
  }

  storage(storage: Storage): Storage {
    return new Proxy(storage, {
      get: (target, name, receiver): unknown => {
        const store: unknown = Reflect.get(target, name, receiver);
        return typeof store === 'object' && store !== null ? this.around(String(name), store) : store;
      },
    });
  }

  /** The same object, whose writing methods may lose their acknowledgement. */
  around<T extends object>(name: string, object: T): T {
    return new Proxy(object, {
      get: (target, method, receiver): unknown => {
        const member: unknown = Reflect.get(target, method, receiver);
        if (typeof member !== 'function') return member;
        return async (...parameters: readonly unknown[]): Promise<unknown> => {
          const answer: unknown = await (Reflect.apply(member, target, parameters) as unknown);
          this.mayLose(`${name}.${String(method)}`);
          return answer;
        };
      },
    });
  }

  private mayLose(call: string): void {
    if (!doesWrite(call) || !this.loses(call)) return;
    // The relay goes on by itself after a loss, however often: once is enough.
    const number = call.startsWith('relay.') ? 1 : (this.counts.get(call) ?? 0) + 1;
    this.counts.set(call, number);
    const point = `${this.step}: ${call} ${number}`;
    if (this.lost.has(point)) return;
    this.lost.add(point);
    const what = `the acknowledgement of ${point} was lost`;
    throw call.startsWith('temporal.')
      ? new DomainFailure('TEMPORAL_UNAVAILABLE', what)
      : new StorageUnavailable(new Error(what));
  }
}
