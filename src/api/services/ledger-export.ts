/** The journal as CSV for another system, streamed; what a closed month gives never changes. */
import { mappingOf, requireMapped } from '../../domain/ledger/account-mapping.js';
import type { ExternalAccountOf } from '../../domain/ledger/account-mapping.js';
import { DomainFailure } from '../../domain/failure.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { ExportedPosting, ExportPlace, ExportRange, Storage } from '../../storage/types.js';
import type { ExportQuery } from '../schemas/ledger.js';
import { csvLine, csvText } from '../wire/csv.js';
import { monthOf } from './ledger.js';

const columns = [
  'entry',
  'posting',
  'posting_date',
  'service_from',
  'service_to',
  'source_document',
  'description',
  'customer_id',
  'invoice_number',
  'line_item_id',
  'account',
  'product',
  'external_account',
  'currency',
  'debit',
  'credit',
] as const;

/** Entries that are in memory at once. */
const entriesAtOnce = 1_000;

type Journal = Pick<Storage, 'journal'>;

export interface LedgerExport {
  readonly filename: string;
  readonly lines: AsyncIterable<string>;
}

/**
 * Every posting of a month, or of a stretch of the journal, up to now. Nothing is sent before everything is known to be mapped.
 * @throws DomainFailure VALIDATION_FAILED, INVALID_PERIOD, LEDGER_MAPPING_MISSING
 */
export async function exportLedger(storage: Journal, query: ExportQuery): Promise<LedgerExport> {
  const range = await rangeOf(storage, query);
  const accountOf = await mappedBy(storage, query.mapping, range);
  const part = 'month' in range ? range.month.slice(0, 7) : `${range.fromEntry}-${range.throughEntry}`;
  const name = query.mapping === undefined ? '' : `-${query.mapping.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
  return { filename: `journal-${part}${name}.csv`, lines: linesOf(storage, range, accountOf) };
}

async function rangeOf({ journal }: Journal, query: ExportQuery): Promise<ExportRange> {
  const { month, from_entry: from, to_entry: to } = query;
  if ((month === undefined) === (from === undefined) || (month !== undefined && to !== undefined)) {
    throw new DomainFailure('VALIDATION_FAILED', 'Give "month", or "from_entry" with or without "to_entry".');
  }
  const horizon = await journal.horizon();
  if (month !== undefined) return { month: monthOf(month), throughEntry: horizon };
  const through = to !== undefined && BigInt(to) < BigInt(horizon) ? to : horizon;
  return { fromEntry: from ?? '1', throughEntry: through };
}

/** Without a mapping each account is its own. */
async function mappedBy(
  { journal }: Journal,
  mapping: string | undefined,
  range: ExportRange,
): Promise<ExternalAccountOf> {
  if (mapping === undefined) return ({ account }) => account;
  const mapped = mappingOf(await journal.mappings(mapping));
  requireMapped(mapping, mapped, await journal.mappedIn(range));
  return mapped;
}

async function* linesOf(
  { journal }: Journal,
  range: ExportRange,
  accountOf: ExternalAccountOf,
): AsyncGenerator<string> {
  yield csvLine(columns);
  for (let after: ExportPlace | null = null; ;) {
    const { postings, last }: Awaited<ReturnType<typeof journal.exported>> = await journal.exported(range, {
      after,
      entries: entriesAtOnce,
    });
    if (last === null) return;
    yield postings.map((posting) => csvLine(fieldsOf(posting, accountOf))).join('');
    after = last;
  }
}

function fieldsOf(posting: ExportedPosting, accountOf: ExternalAccountOf): readonly string[] {
  const { currency } = posting;
  return [
    posting.entryOrder,
    String(posting.postingNumber),
    posting.postingDate,
    posting.serviceFrom,
    posting.serviceTo,
    csvText(posting.sourceDocument),
    csvText(posting.description),
    csvText(posting.customerId),
    csvText(posting.invoiceNumber),
    posting.lineItemId ?? '',
    posting.account,
    csvText(posting.product),
    csvText(accountOf(posting)),
    currency,
    formatAmount(posting.debit, currency),
    formatAmount(posting.credit, currency),
  ];
}
