/** Backfills: opened, looked at, closed, reverted. */
import { DomainFailure, invariant } from '../../domain/failure.js';
import { parseInstant } from '../../domain/time/instant.js';
import { isUuid } from '../../storage/identifiers.js';
import type { Backfill, BackfillDecision, Storage } from '../../storage/types.js';
import { backfillNotFound } from '../ingest/backfilled.js';
import type { BackfillBody } from '../schemas/backfills.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';
import { requireCustomers } from './customers.js';

export class BackfillService {
  constructor(private readonly storage: Pick<Storage, 'reference' | 'backfills'>) {}

  /** @throws DomainFailure BACKFILL_RANGE_EMPTY, UNKNOWN_CUSTOMER */
  async open(body: BackfillBody, asking: Asking): Promise<Backfill> {
    const range = { from: parseInstant(body.from), to: parseInstant(body.to) };
    if (range.from >= range.to) {
      const detail = `The range from ${range.from} to before ${range.to} is empty.`;
      throw new DomainFailure('BACKFILL_RANGE_EMPTY', detail, '/to');
    }
    const customerIds = [...new Set(body.customer_ids)];
    await requireCustomers(this.storage, body.customer_ids, '/customer_ids');
    const { backfills } = this.storage;
    const backfillId = idOf('backfill', asking, JSON.stringify(body));
    const { mode, reason = null } = body;
    await backfills.create({ backfillId, customerIds, range, mode, reason, createdBy: asking.actor });
    const stored = await backfills.find(backfillId);
    invariant(stored !== null, `backfill ${backfillId} was stored just now`);
    return stored;
  }

  /** @throws DomainFailure BACKFILL_NOT_FOUND */
  async require(backfillId: string): Promise<Backfill> {
    const found = isUuid(backfillId) ? await this.storage.backfills.find(backfillId) : null;
    if (found === null) throw backfillNotFound(backfillId);
    return found;
  }

  eventCount({ backfillId }: Backfill): Promise<number> {
    return this.storage.backfills.eventCount(backfillId);
  }

  /** @throws DomainFailure BACKFILL_NOT_FOUND, BACKFILL_REVERTED */
  async decide(
    backfillId: string,
    decision: Pick<BackfillDecision, 'decision' | 'decidedBy' | 'reason'>,
  ): Promise<Backfill> {
    if (!isUuid(backfillId)) throw backfillNotFound(backfillId);
    return this.storage.backfills.decide(backfillId, decision);
  }
}
