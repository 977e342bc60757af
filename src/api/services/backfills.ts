/** Backfills: opened, looked at, closed, reverted. */
import { randomUUID } from 'node:crypto';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { parseInstant } from '../../domain/time/instant.js';
import { uuidOf } from '../../storage/identifiers.js';
import type { Backfill, BackfillDecision, Storage } from '../../storage/types.js';
import { backfillNotFound } from '../ingest/backfilled.js';
import type { BackfillBody } from '../schemas/backfills.js';
import type { Asking } from './re-ratings.js';
import { isUuid } from './uuid.js';

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
    await this.requireCustomers(body.customer_ids);
    const { backfills } = this.storage;
    // The same request under the same key is the same one: it may be repeated after its answer was lost, and forgotten.
    const { actor, key } = asking;
    const backfillId = key === null ? randomUUID() : uuidOf('backfill', actor, key, JSON.stringify(body));
    const { mode, reason = null } = body;
    await backfills.create({ backfillId, customerIds, range, mode, reason, createdBy: actor });
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

  private async requireCustomers(customerIds: readonly string[]): Promise<void> {
    const known = await this.storage.reference.knownCustomers(customerIds);
    const at = customerIds.findIndex((id) => !known.has(id));
    if (at < 0) return;
    throw new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerIds[at]}".`, `/customer_ids/${at}`);
  }
}
