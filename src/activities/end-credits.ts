import { utcDay } from '../domain/time/instant.js';
import type { CreditMismatch, NewFinding } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

const pageSize = 200;
/** Before every id. */
const none = '00000000-0000-0000-0000-000000000000';

/**
 * Ends what is left of credits that no document can draw any more (RULES 38): what has expired, and what came back to a void
 * grant. Each is a transaction of its own that looks again, so that repeating it, or two at once, changes nothing. Then holds
 * the account of customer credit against what the grants have left.
 */
export async function endCredits({ storage, now }: Pick<ActivityDependencies, 'storage' | 'now'>): Promise<number> {
  const at = now();
  let ended = 0;
  let after = none;
  for (;;) {
    const grantIds = await storage.credits.endable(at, { after, limit: pageSize });
    for (const grantId of grantIds) {
      await storage.credits.end(grantId, { now: at, postingDate: utcDay(at) });
      after = grantId;
      ended += 1;
    }
    if (grantIds.length < pageSize) break;
  }
  for (const mismatch of await storage.credits.mismatches()) await storage.findings.store(findingOf(mismatch));
  return ended;
}

function findingOf({ customerId, currency, balances, account }: CreditMismatch): NewFinding {
  return {
    code: 'CREDITS_DIFFER_FROM_JOURNAL',
    customerId,
    period: null,
    subject: { customer_id: customerId, currency, balances, account },
    detail: `The account customer_credit says that ${account} ${currency} is owed; the credit grants have ${balances} left.`,
  };
}
