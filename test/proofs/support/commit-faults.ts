/** Failures at the worst moment: a connection that ends right before a commit, and a commit whose acknowledgement is lost. */
import pg from 'pg';

export const faults = ['connection lost before the commit', 'acknowledgement lost after the commit'] as const;
export type Fault = (typeof faults)[number];

type Query = (this: pg.Client, ...parameters: unknown[]) => unknown;

/** Stands between the program and `pg`: every connection of this process that commits meets the fault that is armed. */
export class CommitFaults {
  private armed: Fault | null = null;
  private met = 0;
  private readonly original = pg.Client.prototype.query as unknown as Query;

  /** @param admin ends other backends; its own statements meet nothing */
  constructor(private readonly admin: pg.Client) {
    // An arrow function has no `this` of its own, and `query` needs its client's.
    const [original, meet] = [this.original, this.meet.bind(this)];
    const query: Query = function (...parameters) {
      if (parameters[0] !== 'COMMIT') return original.apply(this, parameters);
      return meet(this, () => original.apply(this, parameters) as Promise<unknown>);
    };
    pg.Client.prototype.query = query as typeof pg.Client.prototype.query;
  }

  /** How many commits have met a fault. */
  get count(): number {
    return this.met;
  }

  /** The next commit meets it. */
  arm(fault: Fault): void {
    this.armed = fault;
  }

  disarm(): void {
    this.armed = null;
  }

  /** `pg` as it was. */
  remove(): void {
    pg.Client.prototype.query = this.original as typeof pg.Client.prototype.query;
  }

  private async meet(client: pg.Client, commit: () => Promise<unknown>): Promise<unknown> {
    const fault = this.armed;
    if (fault === null) return commit();
    this.armed = null;
    this.met += 1;
    if (fault === 'connection lost before the commit') {
      await this.admin.query('SELECT pg_terminate_backend($1)', [processIdOf(client)]);
      return commit();
    }
    await commit();
    throw Object.assign(new Error('the acknowledgement of the commit was lost'), { code: 'ECONNRESET' });
  }
}

/** What `pg` knows and its types do not tell. */
function processIdOf(client: pg.Client): number {
  return (client as unknown as { readonly processID: number }).processID;
}
