/**
 * The relay: tails the usage ledger and tells billing periods what is new. It plans ranges and moves its cursor in one
 * transaction, then delivers what is planned; so a crash between the two repeats a delivery and never loses one.
 */
import type { RelayStore, UsageRange } from '../storage/types.js';
import { inParallel } from './in-parallel.js';
import { pause } from './pause.js';

export interface RelayDependencies {
  readonly relay: Pick<RelayStore, 'acquire' | 'plan' | 'due' | 'markDelivered'>;
  /** signalWithStart of the period's workflow. Rejects when Temporal is away or refuses the signal. */
  readonly deliver: (range: UsageRange) => Promise<void>;
  readonly log: RelayLog;
  /** A clock for intervals, in ms; it never decides an amount. */
  readonly nowMs: () => number;
}

export interface RelayLog {
  info(message: string, facts?: Record<string, unknown>): void;
  warn(message: string, facts?: Record<string, unknown>): void;
}

export interface RelayOptions {
  readonly group: string;
  readonly tickMs: number;
  /** A customer and period is signalled at most once in this time; the first facts after silence at once. */
  readonly signalIntervalMs: number;
  /** Ends the loop after the step under way. */
  readonly stop: AbortSignal;
}

/** `fenced`: another relay of the group has taken over, and the database refused this one's plan. */
export type RelayEnd = 'stopped' | 'fenced';

/**
 * Ranges delivered before the next plan. What is due is found among all that waits, so many small steps would look through
 * it as many times; at a millisecond a signal the next plan waits five seconds at most.
 */
export const rangesPerStep = 5_000;
/** Signals under way at a time. */
const signalsInFlight = 16;
const backoffMs = { first: 250, max: 10_000 };

/** Runs until it is stopped or fenced. A database or Temporal that is away makes it wait and go on. */
export async function runRelayLoop(dependencies: RelayDependencies, options: RelayOptions): Promise<RelayEnd> {
  const loop = new RelayLoop(dependencies, options);
  let failures = 0;
  while (!options.stop.aborted) {
    try {
      const waitMs = await loop.step();
      if (failures > 0) dependencies.log.info('the relay goes on', { group: options.group, failures });
      failures = 0;
      await pause(waitMs, options.stop);
    } catch (error) {
      if (isFenced(error)) return 'fenced';
      failures += 1;
      const waitMs = Math.min(backoffMs.first * 2 ** (failures - 1), backoffMs.max);
      dependencies.log.warn('the relay waits', { group: options.group, failures, waitMs, error: messageOf(error) });
      await pause(waitMs, options.stop);
    }
  }
  return 'stopped';
}

class RelayLoop {
  private epoch: number | null = null;
  /** No range can be waiting for its signal interval after this moment, unless new facts are planned. */
  private quietFromMs = Infinity;

  constructor(
    private readonly dependencies: RelayDependencies,
    private readonly options: RelayOptions,
  ) {}

  /** Plans, delivers, and says how long to wait. An idle step asks the database once. */
  async step(): Promise<number> {
    const { relay, log, nowMs } = this.dependencies;
    const { group, signalIntervalMs, tickMs } = this.options;
    if (this.epoch === null) {
      const { epoch, position } = await relay.acquire(group);
      this.epoch = epoch;
      log.info('the relay begins', { group, epoch, position });
    }
    const { facts } = await relay.plan(group, this.epoch);
    if (facts > 0) this.quietFromMs = Infinity;
    if (facts === 0 && nowMs() > this.quietFromMs) return tickMs;

    const ranges = await relay.due(signalIntervalMs, rangesPerStep);
    if (ranges.length > 0) {
      this.quietFromMs = Infinity;
      await this.deliver(ranges);
    } else if (facts === 0) {
      // What is planned but not due yet becomes due within one interval.
      this.quietFromMs = Math.min(this.quietFromMs, nowMs() + signalIntervalMs);
    }
    return ranges.length === rangesPerStep ? 0 : tickMs;
  }

  /** One range that Temporal refuses does not hold up the others: it stays undelivered and comes again. */
  private async deliver(ranges: readonly UsageRange[]): Promise<void> {
    const { relay, deliver, log } = this.dependencies;
    const delivered: UsageRange[] = [];
    let lastError: unknown = null;
    await inParallel(ranges, signalsInFlight, async (range) => {
      try {
        await deliver(range);
        delivered.push(range);
      } catch (error) {
        lastError = error;
      }
    });
    if (delivered.length > 0)
      await relay.markDelivered(delivered.map(({ customerId, period, to }) => ({ customerId, period, to })));
    const failed = ranges.length - delivered.length;
    if (failed === 0) return;
    const error = messageOf(lastError);
    // Nothing went through: Temporal is away, and the loop backs off.
    if (delivered.length === 0)
      throw new Error(`none of ${failed} signals was delivered: ${error}`, { cause: lastError });
    log.warn('some signals were refused', { group: this.options.group, failed, error });
  }
}

const isFenced = (error: unknown): boolean => error instanceof Error && error.name === 'RelayFenced';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
