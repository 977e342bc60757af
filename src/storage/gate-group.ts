/** One transaction, at one cutoff, for the gates of several periods: numbers, writes and the commit are shared (ADR-020). */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import type { Database } from './database.js';
import { drawNumbers } from './draw-number.js';
import { openGate } from './gate.js';
import type { Gate } from './gate.js';
import { planOnceAgain, withPeriodsLocked } from './gate-lock.js';
import { flushAll } from './gate-writes.js';
import type { BillingPeriod, GatePurpose, GateTransaction } from './types.js';

export interface Group {
  readonly periods: readonly BillingPeriod[];
  readonly purpose: GatePurpose;
  readonly mayGoOn: () => boolean;
}

/**
 * Locks the periods, takes the cutoff and runs `work` for one after the other, in one transaction. Documents, journal entries,
 * ratings, outcomes and findings are written when all of it has ended, in one statement: what the database refuses about them
 * rejects here, and what one `work` throws takes the others with it.
 */
export async function passGates<T>(
  db: Database,
  { periods, purpose, mayGoOn }: Group,
  work: (gate: GateTransaction, period: BillingPeriod) => Promise<T>,
): Promise<readonly T[]> {
  if (periods.length === 0) return [];
  return withPeriodsLocked(db, periods, async (client, cutoff) => {
    const gates: Gate[] = [];
    const works: Promise<T>[] = [];
    const numbers = new NumberDraws(client);
    const draw = (series: string): Promise<number> => numbers.draw(series);
    try {
      for (const period of periods) {
        if (gates.length > 0 && !mayGoOn()) break;
        if (gates.length > 0) await planOnceAgain(client);
        const gate = await openGate(client, { period, purpose, cutoff, draw });
        gates.push(gate);
        await numbers.advance(() => {
          const working = work(gate, period);
          works.push(working);
          return working;
        });
      }
      await numbers.drawAll();
    } catch (error) {
      numbers.giveUp();
      await Promise.allSettled(works);
      throw error;
    }
    const results = await Promise.all(works);
    await flushAll(
      client,
      gates.map(({ writes }) => writes),
    );
    for (const gate of gates) await gate.afterFlush();
    return results;
  });
}

interface Draw {
  readonly series: string;
  readonly answer: (number: number) => void;
  readonly refuse: (error: Error) => void;
}

interface WaitingWork extends Draw {
  readonly working: Promise<unknown>;
}

/**
 * Lets one work go on at a time, on the one connection that they share; who asks for a number waits until all the others have
 * asked or ended, because from the draw to the commit every other document of the series waits.
 */
class NumberDraws {
  private waiting: WaitingWork[] = [];
  private asks: ((draw: Draw) => void) | null = null;

  constructor(private readonly client: pg.PoolClient) {}

  draw(series: string): Promise<number> {
    const { asks } = this;
    invariant(asks !== null, 'a gate draws one number after the other');
    this.asks = null;
    return new Promise((answer, refuse) => {
      asks({ series, answer, refuse });
    });
  }

  /** Until the work has ended or asks for a number. Rejects with it. */
  async advance(work: () => Promise<unknown>): Promise<void> {
    const asked = new Promise<Draw>((resolve) => (this.asks = resolve));
    const working = work();
    const draw = await Promise.race([working.then(() => null), asked]);
    if (draw !== null) this.waiting.push({ ...draw, working });
  }

  /** Until every work has ended. */
  async drawAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const asked = this.waiting.map(({ series }) => series);
      for (const number of await drawNumbers(this.client, asked)) {
        const first = this.waiting.shift();
        invariant(first !== undefined, 'a number for each who waits');
        await this.advance(() => {
          first.answer(number);
          return first.working;
        });
      }
    }
  }

  /** The transaction fails: who waits for a number gets none. */
  giveUp(): void {
    for (const { refuse } of this.waiting) refuse(new Error('the transaction has failed'));
    this.waiting = [];
  }
}
