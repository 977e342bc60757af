/** The journal: closing months, rebuilding and checking what is made of it, account mappings. */
import { balanceFinding } from '../../billing/balance-finding.js';
import { recogniseRevenue } from '../../billing/recognise-revenue.js';
import { monthIsOverAt, monthNotOver, nextMonth } from '../../calendar/accounting-months.js';
import { DomainFailure } from '../../domain/failure.js';
import { formatAmount, formatFoundAmount } from '../../domain/money/rounding.js';
import { parseInstant } from '../../domain/time/instant.js';
import { parseLocalDate, parsePeriodName } from '../../domain/time/local-date.js';
import type { Instant, LocalDate } from '../../domain/values.js';
import type { MonthChecklist } from '../../storage/types-journal.js';
import type {
  BalanceDifference,
  CustomerBalance,
  LedgerMoment,
  LedgerSnapshot,
  MonthClosing,
  Rebuilt,
  Storage,
  StoredAccountMapping,
  Sums,
} from '../../storage/types.js';
import type { AccountMappingsBody, MomentQuery } from '../schemas/ledger.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';

/** @throws DomainFailure VALIDATION_FAILED, INVALID_INSTANT, INSTANT_WITHOUT_OFFSET, INVALID_DATE */
export function momentOf({ at, posted_through: posted, through_entry: entry }: MomentQuery): LedgerMoment | undefined {
  if ([at, posted, entry].filter((given) => given !== undefined).length > 1) {
    const detail = 'Give one of "at", "posted_through" and "through_entry": each names a state of the books by itself.';
    throw new DomainFailure('VALIDATION_FAILED', detail);
  }
  if (at !== undefined) return { at: parseInstant(at) };
  if (posted !== undefined) return { postedThrough: parseLocalDate(posted) };
  return entry === undefined ? undefined : { throughEntry: entry };
}

/** @throws DomainFailure INVALID_PERIOD for what is no calendar month */
export function monthOf(text: string): LocalDate {
  const month = parsePeriodName(text);
  if (month.endsWith('-01')) return month;
  throw new DomainFailure(
    'INVALID_PERIOD',
    `An accounting month is a calendar month such as "2024-01", not "${text}".`,
  );
}

export interface ClosingRequest {
  readonly month: LocalDate;
  readonly reason: string;
  readonly actor: string;
  readonly now: Instant;
}

/**
 * Closes a month: what of it is to be recognised is posted first, and the books at its end are kept as a snapshot. The same again
 * (month, actor, reason) changes nothing.
 * @throws DomainFailure ACCOUNTING_MONTH_NOT_OVER, ACCOUNTING_MONTH_CLOSED, ACCOUNTING_MONTH_OUT_OF_ORDER
 */
export async function closeMonth(
  storage: Pick<Storage, 'journal'>,
  { month, reason, actor, now }: ClosingRequest,
): Promise<MonthClosing> {
  if (now < monthIsOverAt(month)) throw monthNotOver(month);
  const { journal } = storage;
  const isSame = (closing: MonthClosing): boolean =>
    closing.month === month && closing.closedBy === actor && closing.reason === reason;
  const before = (await journal.closings()).find(isSame);
  // Nothing is posted for a month that is refused.
  if (before === undefined) await journal.requireNextToClose(month);
  await recogniseRevenue(storage, now);
  const closing = before ?? (await journal.closeMonth({ month, reason, closedBy: actor }));
  await journal.takeMonthSnapshots(actor);
  await journal.takeSnapshot(actor);
  return closing;
}

/** Corrects the read model; what it could not becomes a finding. */
export async function rebuildBalances({ journal, findings }: Pick<Storage, 'journal' | 'findings'>): Promise<Rebuilt> {
  const rebuilt = await journal.rebuild();
  for (const difference of rebuilt.unresolved) await findings.store(balanceFinding(difference));
  return rebuilt;
}

/** @throws DomainFailure ACCOUNTING_MONTH_CLOSED, INVALID_DATE */
export async function addAccountMappings(
  { journal }: Pick<Storage, 'journal'>,
  body: AccountMappingsBody,
  asking: Asking,
): Promise<readonly StoredAccountMapping[]> {
  const { mapping, reason, accounts } = body;
  const content = JSON.stringify(body);
  const mappings = accounts.map(
    ({ account, product, external_account: externalAccount, effective_from: from }, index) => ({
      ...{ mapping, account, product, externalAccount, reason },
      accountMappingId: idOf('account-mapping', asking, content, index),
      effectiveFrom: from === null ? null : parseLocalDate(from, `/accounts/${index}/effective_from`),
      mappedBy: asking.actor,
    }),
  );
  await journal.addMappings(mappings);
  const stored = new Set(mappings.map(({ accountMappingId }) => accountMappingId));
  return (await journal.mappings(mapping)).filter(({ accountMappingId }) => stored.has(accountMappingId));
}

export function toApiSums({ debit, credit, balance }: Sums, currency: string): object {
  return {
    debit: formatAmount(debit, currency),
    credit: formatAmount(credit, currency),
    balance: formatAmount(balance, currency),
  };
}

/** @param version only of the read model */
export function toApiBalance(row: CustomerBalance & { readonly version?: number }): object {
  const { customerId, account, currency } = row;
  return { customer_id: customerId, account, currency, ...toApiSums(row, currency), version: row.version ?? null };
}

export function toApiDifference({ model, customerId, account, currency, ...sides }: BalanceDifference): object {
  const shown = ({ debit, credit }: BalanceDifference['found']): object => ({
    debit: formatFoundAmount(debit, currency),
    credit: formatFoundAmount(credit, currency),
  });
  const { expected, found } = sides;
  return { model, customer_id: customerId, account, currency, expected: shown(expected), found: shown(found) };
}

export function toApiSnapshot(snapshot: LedgerSnapshot): object {
  return {
    snapshot_id: snapshot.snapshotId,
    posted_through: snapshot.postedThrough,
    through_entry: snapshot.throughEntry,
    through_instant: snapshot.throughInstant,
    taken_by: snapshot.takenBy,
    taken_at: snapshot.takenAt,
  };
}

export function toApiClosing({ month, throughEntry, reason, closedBy, closedAt }: MonthClosing): object {
  return {
    month: month.slice(0, 7),
    through_entry: throughEntry,
    reason,
    closed_by: closedBy,
    closed_at: closedAt,
  };
}

/** @param closings the newest first */
export function toApiMonths(closings: readonly MonthClosing[]): object {
  const [last] = closings;
  return {
    closed_through: last === undefined ? null : last.month.slice(0, 7),
    first_open: last === undefined ? null : nextMonth(last.month).slice(0, 7),
    data: closings.map(toApiClosing),
  };
}

export function toApiMapping(mapping: StoredAccountMapping): object {
  return {
    account_mapping_id: mapping.accountMappingId,
    mapping: mapping.mapping,
    account: mapping.account,
    product: mapping.product,
    external_account: mapping.externalAccount,
    effective_from: mapping.effectiveFrom,
    reason: mapping.reason,
    mapped_by: mapping.mappedBy,
    learned_at: mapping.learnedAt,
  };
}

export function toApiChecklist({ month, drafts, unbilled, held, unappliedPayments, items }: MonthChecklist): object {
  return {
    month: month.slice(0, 7),
    drafts,
    unbilled,
    held,
    unapplied_payments: unappliedPayments,
    data: items.map(({ customerId, heldBy, ...item }) => ({ ...item, customer_id: customerId, held_by: heldBy })),
  };
}
