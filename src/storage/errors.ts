/**
 * Storage's own failures. `guarded` puts the mapping at the one edge of this folder, so that no caller ever sees an error
 * of a driver and every method reports a lost database in the same way.
 */
import { DomainFailure } from '../domain/failure.js';

/**
 * The database cannot be reached, is shutting down, or gave up on the statement. Nothing is known about a commit that was
 * under way: whoever repeats the call relies on identity keys. The API answers 503 DATABASE_UNAVAILABLE.
 */
export class StorageUnavailable extends Error {
  override readonly name = 'StorageUnavailable';
  constructor(cause: unknown) {
    super(`the database is not available: ${messageOf(cause)}`, { cause });
  }
}

/** Network errors of Node while connecting or talking. */
const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // a Unix socket that is not there
]);

/**
 * SQLSTATE classes and codes that speak of the server's condition, not of the statement: 08 connection, 53 resources,
 * 57P0x shutdown and start-up, 57014 statement timeout, 55P03 lock timeout, 25P03 idle in transaction, 58 system errors.
 */
const stateOfServer = /^(08...|53...|58...|57P0.|57014|55P03|25P0[34])$/;

/** What `pg` and `pg-pool` say when they have no code to give. */
const messages =
  /Connection terminated|timeout exceeded when trying to connect|connection error and is not queryable|Client was closed|after calling end on the (pool|client)/i;

/** Prisma's names for the same, in `code` and in the `kind` of a driver adapter's error. */
const prismaCodes = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024']);
const prismaKinds = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections']);

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

function property(value: object, name: string): unknown {
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Whether the error, or one that caused it, means that the database is away. */
export function isUnavailable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 5) return false;
  if (error instanceof StorageUnavailable) return true;
  if (error instanceof DomainFailure) return false;
  const code = property(error, 'code');
  const state = typeof code === 'string' ? code : property(error, 'originalCode');
  if (typeof state === 'string') {
    if (socketCodes.has(state) || prismaCodes.has(state) || stateOfServer.test(state)) return true;
  }
  const kind = property(error, 'kind');
  if (typeof kind === 'string' && prismaKinds.has(kind)) return true;
  if (error instanceof Error && messages.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some((inner) => isUnavailable(inner, depth + 1))) return true;
  // A server that is starting up: Prisma has a code of its own for it (P2039), and keeps the driver's error beside.
  const meta = property(error, 'meta');
  const ofDriver = typeof meta === 'object' && meta !== null ? property(meta, 'driverAdapterError') : undefined;
  return isUnavailable(ofDriver, depth + 1) || isUnavailable(property(error, 'cause'), depth + 1);
}

/** `StorageUnavailable` when the database is away, else the error as it came. */
export function mapStorageError(error: unknown): unknown {
  return isUnavailable(error) && !(error instanceof StorageUnavailable) ? new StorageUnavailable(error) : error;
}

/** The same store, with every rejection of its methods mapped by `mapStorageError`. */
export function guarded<T extends object>(store: T): T {
  return new Proxy(store, {
    get(target, name, receiver): unknown {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return async (...parameters: readonly unknown[]): Promise<unknown> => {
        try {
          return await (Reflect.apply(member, target, parameters) as unknown);
        } catch (error) {
          throw mapStorageError(error);
        }
      };
    },
  });
}

/** SQLSTATE of a Postgres error, through `pg` or Prisma; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code = property(error, 'code') ?? property(error, 'originalCode');
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  return sqlState(property(error, 'cause'));
}

/** SQLSTATE of a statement that ran into its timeout, or that somebody cancelled. */
export const queryCanceled = '57014';

/** Classes of SQLSTATE that speak of the values of one row: data, integrity. */
const stateOfValues = /^2[23]/;

/** Whether the database refused a value of a row, and not the statement, or everything. */
export function isOfValues(error: unknown): boolean {
  return stateOfValues.test(sqlState(error) ?? '');
}

/**
 * What is wrong with the one customer that something was tried for, so that the others can go on.
 * @throws the error itself where it is not his: the database is away, or does not understand what we say
 */
export function reasonOfOne(error: unknown): string {
  const state = sqlState(error);
  if (isUnavailable(error) || (state !== undefined && !stateOfValues.test(state))) throw error;
  return error instanceof DomainFailure ? error.detail : messageOf(error);
}

/** The constraint that a Postgres error names; undefined for anything else. */
export function constraintOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const constraint = property(error, 'constraint');
  return typeof constraint === 'string' ? constraint : undefined;
}
