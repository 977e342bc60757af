/** A database with something between it and the ledger that stores in it. */
import type pg from 'pg';
import type { Database } from '../../src/storage/database.js';

/** Each stands in for the call of the same name, which is counted from 1. */
export interface Between {
  readonly copyIn?: (copy: () => Promise<void>, call: number) => Promise<void>;
  /** A query outside transactions. */
  readonly lookUp?: (query: () => Promise<unknown>, call: number) => Promise<unknown>;
  readonly transaction?: (work: () => Promise<unknown>, call: number) => Promise<unknown>;
}

/** The same database, but for these calls. */
export function through(db: Database, { copyIn, lookUp, transaction }: Between): Database {
  const calls = { copyIn: 0, lookUp: 0, transaction: 0 };
  const query = (...parameters: readonly unknown[]): Promise<unknown> => {
    const run = (): Promise<unknown> => Reflect.apply(db.pool.query, db.pool, parameters) as Promise<unknown>;
    return lookUp === undefined ? run() : lookUp(run, (calls.lookUp += 1));
  };
  return {
    ...db,
    pool: new Proxy(db.pool, {
      get: (target, name): unknown => (name === 'query' ? query : (Reflect.get(target, name) as unknown)),
    }),
    copyIn: (...parameters) => {
      const run = (): Promise<void> => db.copyIn(...parameters);
      return copyIn === undefined ? run() : copyIn(run, (calls.copyIn += 1));
    },
    transaction: <T>(work: (client: pg.PoolClient) => Promise<T>, begin?: string): Promise<T> => {
      const run = (): Promise<T> => db.transaction(work, begin);
      return transaction === undefined ? run() : (transaction(run, (calls.transaction += 1)) as Promise<T>);
    },
  };
}
