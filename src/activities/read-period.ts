import type { PeriodReading, ReadPeriodInput } from '../contracts/activities.js';
import { customerOf } from '../billing/price-facts.js';
import type { BillingPeriodStage } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { startFirstLateAfter } from './later-periods.js';
import { startOpeningPeriod } from './opening-period.js';
import { ledgerWindowsOf, periodOf, settingsOf, unheld } from './period-facts.js';

/** The truth about a period: a run of `billingPeriod` begins with it, and comes back to it when signals leave a gap. */
export function readPeriod(dependencies: ActivityDependencies) {
  const { storage } = dependencies;
  return async (input: ReadPeriodInput): Promise<PeriodReading> => {
    const period = await periodOf(storage, input);
    const customer = await customerOf(storage, input.customerId);
    await startOpeningPeriod(dependencies, period, customer);
    const status = await storage.periods.status(input.customerId, input.period);
    const stage = stageOf(status?.stage ?? 'open');
    const invoiceId = status?.invoiceId ?? null;
    const invoice = invoiceId === null ? null : await storage.billing.findInvoice(invoiceId);
    // Nobody corrects a void period: what changes its level is told to the later ones here.
    if (stage === 'void') await startFirstLateAfter(dependencies, period);
    const periodSettings = await settingsOf(dependencies, customer, period);
    const isMetering = stage === 'metering';
    const highestEventTime = isMetering ? await storage.periods.highestEventTime(period) : null;
    const backfills = isMetering ? await storage.backfills.openIn(input.customerId, period) : [];
    const openWindows = isMetering ? unheld(await storage.periods.openWindows(period), backfills) : [];
    const veryLate = stage === 'invoiced' ? await storage.periods.veryLateFacts(period) : { count: 0 };
    return {
      from: period.from,
      to: period.to,
      timeZone: period.timeZone,
      stage,
      invoiceNumber: invoice?.number ?? null,
      highestEventTime,
      windows: ledgerWindowsOf(openWindows, { settings: periodSettings, highestEventTime, nowMs: input.nowMs }),
      veryLateFacts: veryLate.count,
      ...(backfills.length > 0 && { held: true }),
      settings: periodSettings,
    };
  };
}

/** A held or skipped period is metered on: new facts may let it be issued. */
function stageOf(stage: BillingPeriodStage): PeriodReading['stage'] {
  if (stage === 'invoiced' || stage === 'void') return stage;
  return stage === 'ready' ? 'requested' : 'metering';
}
