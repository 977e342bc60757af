/**
 * Failures at the worst moment: a connection that ends right before a commit, and a commit whose acknowledgement is lost. A commit
 * is whatever makes something durable: COMMIT, a copy (`copy-in.ts`), and a statement that writes outside a transaction.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import pg from 'pg';

export const faults = ['connection lost before the commit', 'acknowledgement lost after the commit'] as const;
export type Fault = (typeof faults)[number];

export type Commit = 'COMMIT' | 'copy' | 'statement';

type Callback = (error: Error | null | undefined, result?: unknown) => void;
type Query = (this: pg.Client, ...parameters: unknown[]) => unknown;
type Connect = (this: pg.Pool, callback?: Callback) => unknown;

/** A fault that waits for its commit. */
interface Armed {
  readonly fault: Fault;
  /** So many commits pass before. */
  passing: number;
  met: Commit | null;
}

const writing = /\b(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO)\b/i;

/** Stands between the program and `pg`: the commits of a piece of work meet the fault that it is run with. */
export class CommitFaults {
  private count = 0;
  private readonly armed = new AsyncLocalStorage<Armed>();
  private readonly inTransaction = new WeakSet<pg.Client>();
  private readonly original = {
    query: pg.Client.prototype.query as unknown as Query,
    connect: pg.Pool.prototype.connect as unknown as Connect,
  };

  /** @param admin ends other backends; its own statements meet nothing */
  constructor(private readonly admin: pg.Client) {
    const { query, connect } = this.original;
    // An arrow function has no `this` of its own, and these need their client's and their pool's.
    const meet = this.meet.bind(this);
    const meeting: Query = function (...parameters) {
      return meet(this, parameters, (changed) => query.apply(this, [...changed]));
    };
    pg.Client.prototype.query = meeting as unknown as typeof pg.Client.prototype.query;
    // A callback that waits for a connection is called by whoever frees one, and would belong to that work.
    const connecting: Connect = function (callback) {
      return callback === undefined ? connect.call(this) : connect.call(this, AsyncResource.bind(callback));
    };
    pg.Pool.prototype.connect = connecting as unknown as typeof pg.Pool.prototype.connect;
  }

  /** How many commits have met a fault. */
  get met(): number {
    return this.count;
  }

  /**
   * Runs work of which one commit meets the fault, whatever else happens at the same time.
   * @param passing so many of its commits pass before
   * @returns what met it; null: there was no such commit
   */
  async during(fault: Fault, work: () => Promise<unknown>, passing = 0): Promise<Commit | null> {
    const armed: Armed = { fault, passing, met: null };
    await this.armed.run(armed, work);
    return armed.met;
  }

  /** `pg` as it was. */
  remove(): void {
    pg.Client.prototype.query = this.original.query as unknown as typeof pg.Client.prototype.query;
    pg.Pool.prototype.connect = this.original.connect as unknown as typeof pg.Pool.prototype.connect;
  }

  private meet(
    client: pg.Client,
    parameters: readonly unknown[],
    send: (parameters: readonly unknown[]) => unknown,
  ): unknown {
    const commit = this.commitOf(client, parameters[0]);
    const armed = this.armed.getStore();
    if (commit === null || armed === undefined || armed.met !== null || client === this.admin) return send(parameters);
    if (armed.passing > 0) {
      armed.passing -= 1;
      return send(parameters);
    }
    const met = (): void => {
      armed.met = commit;
      this.count += 1;
    };
    if (armed.fault === 'acknowledgement lost after the commit') return losing(parameters, send, met);
    met();
    return this.admin.query('SELECT pg_terminate_backend($1)', [processIdOf(client)]).then(() => send(parameters));
  }

  /** What would make something durable; null: nothing does. */
  private commitOf(client: pg.Client, statement: unknown): Commit | null {
    if (isCopy(statement)) return this.inTransaction.has(client) ? null : 'copy';
    const text = textOf(statement);
    if (/^\s*BEGIN\b/i.test(text)) this.inTransaction.add(client);
    else if (/^\s*(COMMIT|ROLLBACK)\b/i.test(text)) {
      this.inTransaction.delete(client);
      return /^\s*COMMIT\b/i.test(text) ? 'COMMIT' : null;
    } else if (!this.inTransaction.has(client) && writing.test(text)) return 'statement';
    return null;
  }
}

/** Sends it, and lets whoever waits for the answer learn of an error instead. What fails by itself is no commit that is lost. */
function losing(
  parameters: readonly unknown[],
  send: (parameters: readonly unknown[]) => unknown,
  met: () => void,
): unknown {
  const lost = (): Error => {
    met();
    return Object.assign(new Error('the acknowledgement of the commit was lost'), { code: 'ECONNRESET' });
  };
  const [statement] = parameters;
  if (isCopy(statement)) {
    statement.handleReadyForQuery = () => statement.handleError(lost());
    return send(parameters);
  }
  const callback = parameters.at(-1);
  if (typeof callback !== 'function') {
    return (send(parameters) as Promise<unknown>).then(() => {
      throw lost();
    });
  }
  const losingIt: Callback = (error) => (callback as Callback)(error ?? lost());
  return send([...parameters.slice(0, -1), losingIt]);
}

/** What `copy-in.ts` hands to `pg`; the only thing that is no statement and no query. */
interface Copy {
  handleReadyForQuery: () => void;
  readonly handleError: (error: Error) => void;
}

function isCopy(statement: unknown): statement is Copy {
  return typeof statement === 'object' && statement !== null && statement.constructor.name === 'CopyIn';
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement;
  const text = (statement as { readonly text?: unknown } | null)?.text;
  return typeof text === 'string' ? text : '';
}

/** What `pg` knows and its types do not tell. */
function processIdOf(client: pg.Client): number {
  return (client as unknown as { readonly processID: number }).processID;
}
