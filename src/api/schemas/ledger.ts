/** The journal: entries, balances, months, snapshots, account mappings, export. */
import { z } from 'zod';
import { ledgerAccounts } from '../../domain/ledger/journal.js';
import {
  dateOut,
  decimalOut,
  identifier,
  instant,
  instantOut,
  intervalOut,
  localDate,
  pageOf,
  paging,
  reasonText,
  storedText,
} from './common.js';

const place = z
  .string()
  .regex(/^\d{1,18}$/, 'must be a whole number')
  .meta({ description: 'A place in the journal (`entry_order`).', examples: ['1234'] });
const month = z.string().regex(/^\d{4}-\d{2}$/, 'must be a month such as 2024-01');

const moment = {
  at: instant.optional().meta({ description: 'What was posted by this instant of the clock.', format: 'date-time' }),
  posted_through: localDate.optional().meta({ description: 'What has a posting date up to this day.', format: 'date' }),
  through_entry: place.optional(),
} as const;
export interface MomentQuery {
  readonly at?: string | undefined;
  readonly posted_through?: string | undefined;
  readonly through_entry?: string | undefined;
}
export const momentQuery = z.strictObject(moment);
export const balancesQuery = z.strictObject({
  customer_id: identifier.optional(),
  account: z.enum(ledgerAccounts).optional(),
  currency: storedText(16).optional(),
  ...moment,
  ...paging,
});
export const monthChecklist = z
  .object({
    month: z.string(),
    drafts: z.int().meta({ description: 'Documents that wait, drafts and held ones, with service in the month.' }),
    unbilled: z.int().meta({ description: 'Ended periods with service in the month that have no invoice.' }),
    held: z.int().meta({ description: 'Of the unbilled periods those whose stage is held.' }),
    unapplied_payments: z
      .int()
      .meta({ description: 'Payments received by its end that settle nothing, wholly or in part.' }),
    data: z.array(
      z.object({
        kind: z.enum(['draft', 'unbilled', 'unapplied_payment']),
        customer_id: z.string(),
        period: dateOut.nullable(),
        id: z.string().nullable().meta({ description: 'Of the invoice or payment.' }),
        detail: z.string().meta({
          description:
            'Of a draft its status (draft, held), of a period its stage (closing, ready, held, skipped, void), of a payment what is left of it.',
        }),
        held_by: z.array(z.string()).meta({
          description: 'Of a period: codes of the open findings that hold it, and BACKFILL_OPEN where a backfill does.',
        }),
      }),
    ),
  })
  .meta({
    id: 'MonthChecklist',
    description: 'Counts of all, and the first 500. It warns; nothing of it keeps the month from being closed.',
  });
export const checkQuery = z.strictObject({ customer_id: identifier.optional() });

const sums = {
  debit: decimalOut,
  credit: decimalOut,
  balance: decimalOut.meta({ description: 'debit − credit' }),
} as const;
const accountBalance = z
  .object({
    customer_id: z.string(),
    account: z.string(),
    currency: z.string(),
    ...sums,
    version: z.int().nullable().meta({ description: 'How often it has changed; null: of a moment of the past.' }),
  })
  .meta({ id: 'AccountBalance' });
export const accountBalancePage = pageOf(accountBalance);

const side = z.object({ debit: z.string(), credit: z.string() });
const difference = z
  .object({
    model: z.string().meta({ description: '`account_balances`, or the snapshot.' }),
    customer_id: z.string(),
    account: z.string(),
    currency: z.string(),
    expected: side.meta({ description: 'What the journal says.' }),
    found: side,
  })
  .meta({ id: 'BalanceDifference' });
export const balanceDifferences = z.object({ data: z.array(difference) });
export const rebuiltBalances = z
  .object({
    customers: z.int().meta({ description: 'Whose balances were looked at.' }),
    corrected: z.array(difference),
    unresolved: z.array(difference).meta({ description: 'What could not be changed; findings.' }),
  })
  .meta({ id: 'RebuiltBalances' });

export const snapshot = z
  .object({
    snapshot_id: z.string(),
    posted_through: dateOut.nullable().meta({ description: 'The last day of a closed month; null: through_entry.' }),
    through_entry: z.string().nullable(),
    through_instant: instantOut.nullable(),
    taken_by: z.string(),
    taken_at: instantOut,
  })
  .meta({ id: 'LedgerSnapshot' });
export const snapshotPage = pageOf(snapshot);

export const monthParams = z.object({ month });
export const closingBody = z.strictObject({ reason: reasonText });
export const monthClosing = z
  .object({
    month: z.string(),
    through_entry: z.string().meta({ description: 'The last entry when it was closed.' }),
    reason: z.string(),
    closed_by: z.string(),
    closed_at: instantOut,
  })
  .meta({ id: 'MonthClosing' });
export const accountingMonths = z
  .object({
    closed_through: z.string().nullable().meta({ description: 'This month and all before it; null: none.' }),
    first_open: z.string().nullable(),
    data: z.array(monthClosing).meta({ description: 'The newest first.' }),
  })
  .meta({ id: 'AccountingMonths' });

const mappingName = storedText(64).meta({ description: 'The name of the mapping.', examples: ['datev'] });
export const accountMappingsBody = z.strictObject({
  mapping: mappingName,
  accounts: z
    .array(
      z.strictObject({
        account: z.enum(ledgerAccounts),
        product: storedText(128)
          .nullable()
          .default(null)
          .meta({ description: 'A meter, or the name of a fee; null: the default of the account.' }),
        external_account: storedText(64),
        effective_from: localDate
          .nullable()
          .default(null)
          .meta({ description: 'By posting date; null: from the beginning.', format: 'date' }),
      }),
    )
    .min(1)
    .max(1_000),
  reason: reasonText.nullable().default(null),
});
export type AccountMappingsBody = z.output<typeof accountMappingsBody>;
export const accountMappingsQuery = z.strictObject({ mapping: mappingName.optional() });

const accountMapping = z
  .object({
    account_mapping_id: z.string(),
    mapping: z.string(),
    account: z.string(),
    product: z.string().nullable(),
    external_account: z.string(),
    effective_from: dateOut.nullable(),
    reason: z.string().nullable(),
    mapped_by: z.string(),
    learned_at: instantOut,
  })
  .meta({ id: 'AccountMapping' });
export const accountMappings = z.object({
  data: z.array(accountMapping).meta({ description: 'In the order in which they were learned.' }),
});
export const accountMappingList = z.object({
  mappings: z.array(z.object({ mapping: z.string(), rows: z.int() })),
  data: z.array(accountMapping).meta({ description: 'Of the mapping that was asked for.' }),
});

export const exportQuery = z.strictObject({
  month: month.optional().meta({ description: 'By posting date.', examples: ['2024-01'] }),
  from_entry: place.optional(),
  to_entry: place.optional(),
  mapping: mappingName.optional().meta({ description: 'Without one each account is its own.' }),
});
export type ExportQuery = z.output<typeof exportQuery>;
export const csvOut = z.string().meta({ description: 'CSV with a header line.' });

export const accounts = z.object({
  data: z.array(
    z.object({
      account: z.string(),
      name: z.string(),
      kind: z.string(),
      balances: z.array(z.object({ currency: z.string(), amount: decimalOut })),
    }),
  ),
});

export const journalEntry = z
  .object({
    entry_id: z.string(),
    entry_order: z.string().meta({ description: 'Its place in the journal.' }),
    source_document: z.string(),
    customer_id: z.string(),
    invoice_id: z.string().nullable(),
    posting_date: dateOut,
    service_period: intervalOut,
    description: z.string(),
    created_at: instantOut,
    postings: z.array(
      z.object({
        account: z.string(),
        line_item_id: z.string().nullable(),
        invoice_id: z.string().nullable(),
        product: z.string().nullable().meta({ description: 'A meter, or the name of a fee.' }),
        currency: z.string(),
        amount: decimalOut.meta({ description: 'Debit positive, credit negative.' }),
      }),
    ),
  })
  .meta({ id: 'JournalEntry' });

export const trialBalance = z.object({
  data: z.array(
    z.object({
      account: z.string(),
      currency: z.string(),
      debit: decimalOut,
      credit: decimalOut,
      balance: decimalOut,
    }),
  ),
});
