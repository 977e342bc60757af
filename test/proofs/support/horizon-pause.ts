/** Work that stops where it has read the safe horizon and has not yet looked at the facts below it. */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import pg from 'pg';

type Query = (this: pg.Client, ...parameters: unknown[]) => unknown;
type Connect = (this: pg.Pool, callback?: (...answer: unknown[]) => void) => unknown;

/** What one piece of work is at. */
interface Half {
  state: 'before' | 'horizon read' | 'paused' | 'going on';
  readonly paused: () => void;
  readonly mayGoOn: Promise<void>;
}

const halves = new AsyncLocalStorage<Half>();

/** As `safe-horizon.ts` says it. */
const isHorizon = (statement: unknown): boolean =>
  typeof statement === 'string' && statement.includes('last_value') && statement.includes('ledger_position');

function queryThrough(statement: unknown, send: () => unknown): unknown {
  const half = halves.getStore();
  if (half === undefined) return send();
  if (half.state === 'before' && isHorizon(statement)) half.state = 'horizon read';
  else if (half.state === 'horizon read') {
    half.state = 'paused';
    half.paused();
    return half.mayGoOn.then(send);
  }
  return send();
}

/** From now on work can be paused. Returns how to have `pg` as it was. */
export function installHorizonPauses(): () => void {
  const query = pg.Client.prototype.query as unknown as Query;
  const connect = pg.Pool.prototype.connect as unknown as Connect;
  const pausing: Query = function (...parameters) {
    return queryThrough(parameters[0], () => query.apply(this, parameters));
  };
  // A callback that waits for a connection is called by whoever frees one, and would belong to that work.
  const connecting: Connect = function (callback) {
    return callback === undefined ? connect.call(this) : connect.call(this, AsyncResource.bind(callback));
  };
  pg.Client.prototype.query = pausing as unknown as typeof pg.Client.prototype.query;
  pg.Pool.prototype.connect = connecting as unknown as typeof pg.Pool.prototype.connect;
  return () => {
    pg.Client.prototype.query = query as unknown as typeof pg.Client.prototype.query;
    pg.Pool.prototype.connect = connect as unknown as typeof pg.Pool.prototype.connect;
  };
}

/** Work in two steps: until it has read its horizon, and the rest. */
export class InTwoHalves {
  private goOn: () => void = () => undefined;
  private ended: Promise<void> = Promise.resolve();
  private half: Half | null = null;

  constructor(private readonly work: () => Promise<void>) {}

  /** Resolves when the horizon is read, or when the work ends before that. */
  async first(): Promise<void> {
    const mayGoOn = new Promise<void>((resolve) => (this.goOn = resolve));
    await new Promise<void>((resolve) => {
      this.half = { state: 'before', paused: resolve, mayGoOn };
      this.ended = halves.run(this.half, this.work);
      // Its failure is the second half's.
      this.ended.then(resolve, () => resolve());
    });
  }

  async second(): Promise<void> {
    if (this.half?.state === 'paused') this.half.state = 'going on';
    this.goOn();
    await this.ended;
    if (this.half?.state !== 'going on') throw new Error('the work did not stop behind its horizon');
  }
}
