/** A meter over past events counts in every period that is not invoiced (RULES 31): also in those that were skipped (RULES 64). */
import { utcDay } from '../domain/time/instant.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * Asks again about what was skipped before meters were learned that may count it: once a version. The requests are rows, so a crash
 * loses none of them, and an attempt after it begins anew and asks for nothing twice. Somebody has to wake invoicing then.
 * @returns whether there were such meters
 */
export async function lookBackForMeters({ storage, now }: ActivityDependencies): Promise<boolean> {
  const meterIds = await storage.periods.metersToLookBackFor();
  if (meterIds.length === 0) return false;
  const billingDay = utcDay(now());
  for (let after: string | null = ''; after !== null;) {
    after = await storage.periods.askSkippedAgain({ meterIds, after, billingDay });
  }
  await storage.periods.noteLookedBack(meterIds);
  return true;
}
