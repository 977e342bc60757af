import { log } from '@temporalio/activity';
import type { CloseWindowsInput, CloseWindowsOutput, LedgerWindow, LedgerWindows } from '../contracts/activities.js';
import type { AccumulationDifference, BillingPeriod, OpenWindow, Storage } from '../storage/types.js';
import { customerOf } from '../billing/price-facts.js';
import { isUnavailable } from '../storage/errors.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';
import { isPast, ledgerWindowsOf, periodOf, settingsOf, unheld } from './period-facts.js';
import type { WindowsAtTime } from './period-facts.js';
import { rateProvisionally } from './rate-provisionally.js';

/**
 * Closes everything that is due, of all meters, at one fresh cutoff, but what open backfills hold; on demand that, too. What the signals accumulated is held against the
 * ledger: a difference is a finding, and the ledger wins. Repeating it appends nothing.
 */
export function closeWindows(dependencies: ActivityDependencies) {
  return (input: CloseWindowsInput): Promise<CloseWindowsOutput> =>
    heartbeating(
      () => null,
      () => close(dependencies, input),
    );
}

async function close(dependencies: ActivityDependencies, input: CloseWindowsInput): Promise<CloseWindowsOutput> {
  const { storage } = dependencies;
  const period = await periodOf(storage, input);
  const chosen = await chooseWindows(dependencies, period, input);
  const accumulated = input.windows.flatMap(({ m, w, since, n, q, d }) =>
    since === null ? [] : [{ m, w, since, n, q, d }],
  );
  const closed = await storage.usage.closeWindows(period, chosen.windows, accumulated, input.accumulatedThrough);
  for (const difference of closed.differences) await storeDifference(storage, input, difference);
  if (input.rate) await rateQuietly(dependencies, period);
  return {
    cutoff: closed.cutoff,
    closed: chosen.windows?.length ?? closed.revisions,
    revisions: closed.revisions,
    differences: closed.differences.length,
    remaining: chosen.remaining === null ? null : await chosen.remaining(),
  };
}

interface ChosenWindows {
  /** null: every window with usage. */
  readonly windows: readonly OpenWindow[] | null;
  /** Set when the ledger was asked which windows are due: then it is asked what remains, too. */
  readonly remaining: (() => Promise<LedgerWindows>) | null;
}

async function chooseWindows(
  dependencies: ActivityDependencies,
  period: BillingPeriod,
  { scope, windows: listed, nowMs }: CloseWindowsInput,
): Promise<ChosenWindows> {
  const { storage } = dependencies;
  if (scope === 'all') return { windows: null, remaining: null };
  const backfills = await storage.backfills.openIn(period.customerId, period);
  if (scope === 'listed') return { windows: unheld(listed.map(openWindowOf), backfills), remaining: null };
  const customer = await customerOf(storage, period.customerId);
  const at: WindowsAtTime = {
    settings: await settingsOf(dependencies, customer, period),
    highestEventTime: await storage.periods.highestEventTime(period),
    nowMs,
  };
  const open = async (): Promise<readonly OpenWindow[]> => unheld(await storage.periods.openWindows(period), backfills);
  const windows = (await open()).filter((window) => isPast(window, at));
  return { windows, remaining: async () => ledgerWindowsOf(await open(), at) };
}

const openWindowOf = ({ m, w, e }: LedgerWindow): OpenWindow => ({ meter: m, windowStart: w, windowEnd: e });

async function storeDifference(
  storage: Storage,
  { customerId, period, accumulatedThrough }: CloseWindowsInput,
  difference: AccumulationDifference,
): Promise<void> {
  const { meter, windowStart, accumulated, ledger } = difference;
  await storage.findings.store({
    code: 'ACCUMULATION_DIFFERENCE',
    customerId,
    period,
    subject: {
      customer_id: customerId,
      period,
      meter,
      window_start: windowStart,
      through: accumulatedThrough,
      accumulated,
      ledger,
    },
    detail:
      `The signals told of ${accumulated.n} events and ${accumulated.q} of "${meter}" in the window from ${windowStart}; the ledger ` +
      `has ${ledger.n} and ${ledger.q}. The window was closed with the ledger's figures.`,
  });
}

/** Provisional charges are a convenience: what is wrong with prices must not keep windows open. The gate tells of it. */
async function rateQuietly(dependencies: ActivityDependencies, period: BillingPeriod): Promise<void> {
  try {
    await rateProvisionally(dependencies, period);
  } catch (error) {
    if (isUnavailable(error)) throw error;
    log.warn('provisional charges were not stored', {
      customerId: period.customerId,
      period: period.period,
      error: String(error),
    });
  }
}
