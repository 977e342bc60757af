/** A write-off that is taken back: the customer pays after all, or it was a mistake. */
import { DomainFailure } from '../../domain/failure.js';
import { writeOffReversalEntry } from '../../domain/ledger/settlement-entries.js';
import { released } from '../../domain/settlement/allocation.js';
import { utcDay } from '../../domain/time/instant.js';
import type { Storage, WriteOff } from '../../storage/types.js';
import { settle } from './account.js';
import type { Deciding } from './account.js';

/**
 * What it had settled is open again, and overdue where its day has passed (RULES 50, 51). All of it, once.
 * @throws DomainFailure WRITE_OFF_REVERSED
 */
export async function reverseWriteOff(
  { settlement }: Pick<Storage, 'settlement'>,
  { writeOffId, invoiceId, customerId, currency, amount, number }: WriteOff,
  { reason, requestId, actor, now }: Deciding & { readonly reason: string; readonly requestId: string },
): Promise<void> {
  await settlement.atReceivable(customerId, async (tx) => {
    if (!(await tx.reverseWriteOff(writeOffId, { reason, reversedBy: actor, requestId }))) {
      // The answer to it was lost.
      if (await tx.isWriteOffReversedBy(writeOffId, requestId)) return;
      const before = (await settlement.findWriteOff(writeOffId))?.reversal?.reason ?? 'at the same time';
      throw new DomainFailure('WRITE_OFF_REVERSED', `The write-off ${writeOffId} is reversed already (${before}).`);
    }
    const back = released(await tx.allocatedBy({ kind: 'write_off', id: writeOffId }));
    const items = await tx.items([invoiceId]);
    const cause = { id: `write-off-reversal/${writeOffId}`, actor, reason: `write-off reversed: ${reason}` };
    settle(tx, back, { items, currency, cause, now });
    const given = { writeOffId, invoiceId, number, customerId, currency, amount, at: now };
    tx.post(writeOffReversalEntry(given, utcDay(now)));
  });
}
