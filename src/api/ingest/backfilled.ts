/** Events that are sent for a backfill: which of them are its own, and what becomes of those that cannot be. */
import { DomainFailure } from '../../domain/failure.js';
import type { UsageEvent } from '../../domain/metering/event.js';
import { isWithin } from '../../domain/time/instant.js';
import type { Interval } from '../../domain/values.js';
import type { AppendOutcome, BackfillStatus, BackfillStore, Refusal } from '../../storage/types.js';
import type { ProblemIssue } from '../problem.js';
import { isRefused, type ReadResult } from './read-event.js';

/** The backfill that a request sends events for. */
export interface TargetBackfill {
  readonly backfillId: string;
  readonly customers: ReadonlySet<string>;
  readonly range: Interval;
}

/** So many backfills are remembered; their facts never change, only their status does. */
const rememberedMax = 200;

export class KnownBackfills {
  private readonly known = new Map<string, TargetBackfill>();

  constructor(private readonly backfills: Pick<BackfillStore, 'find' | 'status'>) {}

  /**
   * That it is open is looked at once a request; the commit makes sure of it.
   * @throws DomainFailure BACKFILL_NOT_FOUND, BACKFILL_CLOSED, BACKFILL_REVERTED; StorageUnavailable
   */
  async requireOpen(backfillId: string): Promise<TargetBackfill> {
    const { target, refusal } = await this.require(backfillId);
    if (refusal !== null) throw new DomainFailure(refusal.code, refusal.detail);
    return target;
  }

  /**
   * Also one that takes no more events, with the reason.
   * @throws DomainFailure BACKFILL_NOT_FOUND; StorageUnavailable
   */
  async require(backfillId: string): Promise<{ readonly target: TargetBackfill; readonly refusal: Refusal | null }> {
    const known = this.known.get(backfillId);
    if (known !== undefined) {
      return { target: known, refusal: refusalOf(backfillId, await this.backfills.status(backfillId)) };
    }
    const found = await this.backfills.find(backfillId);
    const refusal = refusalOf(backfillId, found?.status ?? null);
    if (found === null) throw new Error(`invariant broken: backfill ${backfillId} has a status and no facts`);
    const target = { backfillId, customers: new Set(found.customerIds), range: found.range };
    if (this.known.size >= rememberedMax) this.known.clear();
    this.known.set(backfillId, target);
    return { target, refusal };
  }
}

/** @throws DomainFailure BACKFILL_NOT_FOUND */
function refusalOf(backfillId: string, status: BackfillStatus | null): Refusal | null {
  if (status === 'open') return null;
  if (status === null) throw backfillNotFound(backfillId);
  const code = status === 'closed' ? 'BACKFILL_CLOSED' : 'BACKFILL_REVERTED';
  return { code, detail: `The backfill ${backfillId} is ${status}: it takes no more events. Open another one.` };
}

export function backfillNotFound(backfillId: string): DomainFailure {
  return new DomainFailure('BACKFILL_NOT_FOUND', `There is no backfill "${backfillId.slice(0, 100)}".`);
}

/** What was read, as an event of the backfill; refused when it lies outside. */
export function placedIn(backfill: TargetBackfill, result: ReadResult): ReadResult {
  const { backfillId } = backfill;
  const event = isRefused(result) ? result.event : result;
  if (event === undefined) return result;
  const outside = outsideOf(backfill, event);
  if (outside !== null) return { malformed: false, issues: [outside] };
  return isRefused(result) ? { ...result, event: { ...event, backfillId } } : { ...event, backfillId };
}

function outsideOf(
  { backfillId, customers, range }: TargetBackfill,
  { customerId, eventTime }: UsageEvent,
): ProblemIssue | null {
  const issue = (pointer: string, detail: string): ProblemIssue => ({
    pointer,
    code: 'EVENT_OUTSIDE_BACKFILL',
    detail,
  });
  if (!customers.has(customerId)) {
    return issue('/customer_id', `The backfill ${backfillId} is not for the customer "${customerId}".`);
  }
  if (isWithin(eventTime, range)) return null;
  return issue('/event_time', `The backfill ${backfillId} takes events from ${range.from} to before ${range.to}.`);
}

/** What to say of an event that the commit refused, by its outcome. */
export const refusalsOfCommit: Readonly<Partial<Record<AppendOutcome, Refusal>>> = {
  conflict: {
    code: 'EVENT_ID_REUSED',
    detail:
      'The customer and source used this event id before, for other content. Nothing was changed; a new event needs an id of its own.',
  },
  in_backfill: {
    code: 'EVENT_ID_IN_BACKFILL',
    detail:
      'The customer and source used this event id in a backfill that is open or reverted, so the event does not count. It will when that backfill is closed; an event that shall count by itself needs an id or a source of its own.',
  },
  to_be_replaced: {
    code: 'EVENT_ID_REPLACED',
    detail:
      'The customer and source used this event id outside the backfill, which replaces that event. Give the events of the backfill a source of its own: an identity is used once, for ever.',
  },
  backfill_closed: {
    code: 'BACKFILL_CLOSED',
    detail: 'The backfill was closed or reverted while the event was on its way: it takes no more events.',
  },
};
