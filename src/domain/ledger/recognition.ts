import { D, decimal, toDecimalString, zero } from '../decimal.js';
import { invariant } from '../failure.js';
import { roundMoney } from '../money/rounding.js';
import { instantToMicros } from '../time/instant.js';
import type { DecimalString, Instant, Interval, LocalDate } from '../values.js';
import { assertBalanced } from './invoice-entry.js';
import type { JournalEntry, Posting } from './journal.js';

/** A part of a service period that lies in one accounting month. */
export interface MonthPart extends Interval {
  /** The month's first day. */
  readonly month: LocalDate;
  /** The part's last day. */
  readonly lastDay: LocalDate;
}

/** A line that was billed in advance, as the journal has it. */
export interface DeferredLine {
  readonly lineItemId: string;
  readonly product: string | null;
  readonly currency: string;
  /** What was deferred, positive for a fee: without what was recognised. A void, or a credit note, takes it back. */
  readonly deferred: DecimalString;
  /** The service period by month, in order; together it is the whole of it. */
  readonly parts: readonly [MonthPart, ...MonthPart[]];
  /** By month, what became revenue so far. */
  readonly recognised: ReadonlyMap<LocalDate, DecimalString>;
}

export interface DeferringDocument {
  readonly invoiceId: string;
  readonly number: string;
  readonly customerId: string;
  readonly lines: readonly DeferredLine[];
  /** By month, how many entries recognise it so far. */
  readonly entries: ReadonlyMap<LocalDate, number>;
}

/**
 * The entries that are due: by elapsed time, a service period's share of each month becomes revenue when the month, or the
 * service, is over (RULES 45). Shares are differences of rounded cumulative amounts, so that all of them together are the
 * line, to the minor unit. What was recognised of another amount (the line was voided or credited since) is put right month
 * by month. Nothing is due twice: what the journal says is taken off.
 *
 * @param through now; null: only put right what was recognised
 */
export function recognitionEntries(document: DeferringDocument, through: Instant | null): readonly JournalEntry[] {
  const { invoiceId, number, customerId, entries } = document;
  const due = document.lines.flatMap((line) => dueOf(line, through));
  const months = [...new Set(due.map(({ part }) => part.month))].sort();
  return months.map((month) => {
    const own = due.filter(({ part }) => part.month === month);
    const [first] = own;
    invariant(first !== undefined, `${month} has something due`);
    const entry: JournalEntry = {
      sourceDocument: `recognition/${invoiceId}/${month.slice(0, 7)}/${(entries.get(month) ?? 0) + 1}`,
      customerId,
      invoiceId,
      postingDate: first.part.lastDay,
      serviceFrom: own.map(({ part }) => part.from).reduce((a, b) => (a < b ? a : b)),
      serviceTo: own.map(({ part }) => part.to).reduce((a, b) => (a > b ? a : b)),
      description: `Revenue of ${month.slice(0, 7)} billed in advance by ${number}`,
      postings: own.flatMap(({ line, amount }) => postingsOf(line, amount)),
    };
    assertBalanced(entry);
    return entry;
  });
}

interface Due {
  readonly line: DeferredLine;
  readonly part: MonthPart;
  readonly amount: DecimalString;
}

function dueOf(line: DeferredLine, through: Instant | null): readonly Due[] {
  let before = zero;
  return line.parts.flatMap((part) => {
    const until = cumulative(line, part.to);
    const share = decimal(until).minus(decimal(before));
    before = until;
    const found = line.recognised.get(part.month);
    const isDue = through !== null && part.to <= through;
    // What was recognised stays so while the line is billed; a line that is billed no more has nothing to recognise.
    const target = isDue || (found !== undefined && !decimal(found).isZero()) ? share : new D(0);
    const amount = target.minus(decimal(found ?? zero));
    return amount.isZero() ? [] : [{ line, part, amount: toDecimalString(amount) }];
  });
}

/** What of the line has elapsed by then, rounded half-even: as the line itself was. */
function cumulative({ deferred, currency, parts }: DeferredLine, until: Instant): DecimalString {
  const { from } = parts[0];
  const to = parts.reduce((last, part) => (part.to > last ? part.to : last), parts[0].to);
  if (until >= to) return deferred;
  const [elapsed, whole] = [micros(from, until), micros(from, to)];
  return roundMoney(decimal(deferred).times(elapsed).dividedBy(whole), currency, 'half_even');
}

const micros = (from: Instant, to: Instant): D => new D((instantToMicros(to) - instantToMicros(from)).toString());

function postingsOf({ lineItemId, currency, product }: DeferredLine, amount: DecimalString): readonly Posting[] {
  const posting = { lineItemId, currency, product };
  return [
    { ...posting, account: 'deferred_revenue', amount },
    { ...posting, account: 'revenue', amount: toDecimalString(decimal(amount).negated()) },
  ];
}
