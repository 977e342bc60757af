/** Deferred revenue becomes revenue: to the minor unit, month by month, whatever happens to the line meanwhile. */
import fc from 'fast-check';
import { partsByMonth, postingDayOf } from '../../src/calendar/accounting-months.js';
import { addDecimals, decimal, toDecimalString } from '../../src/domain/decimal.js';
import { recognitionEntries } from '../../src/domain/ledger/recognition.js';
import type { DeferredLine, DeferringDocument } from '../../src/domain/ledger/recognition.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import { addMs } from '../../src/domain/time/instant.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';

const instant = (text: string): Instant => `${text}.000000Z` as Instant;

interface Facts {
  readonly deferred: string;
  readonly from?: string;
  readonly to?: string;
  readonly timeZone?: string;
  readonly currency?: string;
}

function lineOf(
  { deferred, from, to, timeZone = 'UTC', currency = 'USD' }: Facts,
  posted: readonly JournalEntry[],
): DeferredLine {
  const recognised = new Map<LocalDate, DecimalString>();
  for (const entry of posted) {
    const month = `${entry.sourceDocument.split('/')[2] ?? ''}-01` as LocalDate;
    for (const { account, amount } of entry.postings)
      if (account === 'deferred_revenue')
        recognised.set(month, addDecimals([recognised.get(month) ?? ('0' as DecimalString), amount]));
  }
  const interval = { from: instant(from ?? '2024-02-01T00:00:00'), to: instant(to ?? '2024-03-01T00:00:00') };
  return {
    ...{ lineItemId: 'l1', product: 'Base fee', currency },
    deferred: deferred as DecimalString,
    parts: partsByMonth(interval, timeZone),
    recognised,
  };
}

function due(facts: Facts, posted: readonly JournalEntry[], through: string | null): readonly JournalEntry[] {
  const entries = new Map<LocalDate, number>();
  for (const { sourceDocument } of posted) {
    const month = `${sourceDocument.split('/')[2] ?? ''}-01` as LocalDate;
    entries.set(month, (entries.get(month) ?? 0) + 1);
  }
  const document: DeferringDocument = {
    ...{ invoiceId: 'i1', number: 'INV-1', customerId: 'c', entries },
    lines: [lineOf(facts, posted)],
  };
  return recognitionEntries(document, through === null ? null : instant(through));
}

const inShort = (entries: readonly JournalEntry[]): unknown =>
  entries.map((entry) => [
    entry.sourceDocument.slice(15),
    entry.postingDate,
    entry.postings.map(({ account, amount }) => `${account} ${amount}`),
  ]);

test('a fee of one month is revenue when the month is over, and only once', () => {
  expect(due({ deferred: '30' }, [], '2024-02-29T23:59:59')).toEqual([]);
  const entries = due({ deferred: '30' }, [], '2024-03-01T00:00:00');
  expect(inShort(entries)).toEqual([['2024-02/1', '2024-02-29', ['deferred_revenue 30', 'revenue -30']]]);
  expect(entries[0]).toMatchObject({
    sourceDocument: 'recognition/i1/2024-02/1',
    invoiceId: 'i1',
    serviceFrom: instant('2024-02-01T00:00:00'),
    serviceTo: instant('2024-03-01T00:00:00'),
    postings: [
      { lineItemId: 'l1', product: 'Base fee' },
      { lineItemId: 'l1', product: 'Base fee' },
    ],
  });
  expect(due({ deferred: '30' }, entries, '2024-05-01T00:00:00')).toEqual([]);
});

test('a service over months is shared out by elapsed time, cumulatively rounded', () => {
  const year = { deferred: '100', from: '2024-01-15T00:00:00', to: '2024-04-15T00:00:00' };
  expect(inShort(due(year, [], '2024-04-15T00:00:00'))).toEqual([
    ['2024-01/1', '2024-01-31', ['deferred_revenue 18.68', 'revenue -18.68']],
    ['2024-02/1', '2024-02-29', ['deferred_revenue 31.87', 'revenue -31.87']],
    ['2024-03/1', '2024-03-31', ['deferred_revenue 34.07', 'revenue -34.07']],
    ['2024-04/1', '2024-04-14', ['deferred_revenue 15.38', 'revenue -15.38']],
  ]);
});

test('months are those of the document: a local month is one month', () => {
  const parts = partsByMonth(
    { from: instant('2024-02-01T05:00:00'), to: instant('2024-03-01T05:00:00') },
    'America/New_York',
  );
  expect(parts.map(({ month, lastDay }) => [month, lastDay])).toEqual([['2024-02-01', '2024-02-29']]);
  const posted = { periodEnd: instant('2024-02-01T05:00:00'), timeZone: 'America/New_York' };
  expect(postingDayOf(posted, instant('2024-02-01T06:00:00'))).toBe('2024-01-31');
  expect(postingDayOf(posted, instant('2024-01-20T12:00:00'))).toBe('2024-01-20');
  expect(postingDayOf(posted, instant('2026-11-22T12:00:00'))).toBe('2024-01-31');
});

test('a voided line gives back what was recognised, month by month, without waiting; a reduced one is put right', () => {
  const fee = { deferred: '90', from: '2024-02-01T00:00:00', to: '2024-05-01T00:00:00' };
  const posted = due(fee, [], '2024-04-01T00:00:00');
  expect(inShort(due({ ...fee, deferred: '0' }, posted, null))).toEqual([
    ['2024-02/2', '2024-02-29', ['deferred_revenue -29', 'revenue 29']],
    ['2024-03/2', '2024-03-31', ['deferred_revenue -31', 'revenue 31']],
  ]);
  expect(inShort(due({ ...fee, deferred: '45' }, posted, '2024-04-01T00:00:00'))).toEqual([
    ['2024-02/2', '2024-02-29', ['deferred_revenue -14.5', 'revenue 14.5']],
    ['2024-03/2', '2024-03-31', ['deferred_revenue -15.5', 'revenue 15.5']],
  ]);
  expect(due(fee, [], null)).toEqual([]);
});

test('whenever it is run, and whatever the line becomes: together exactly what was deferred, never more on the way, nothing twice', () => {
  const cents = fc.integer({ min: -1_000_000, max: 1_000_000 });
  const days = fc.integer({ min: 1, max: 500 });
  fc.assert(
    fc.property(
      cents,
      days,
      days,
      fc.array(fc.nat(600), { maxLength: 8 }),
      fc.option(cents),
      (amount, start, length, runs, changed) => {
        const from = addMs(instant('2024-01-01T00:00:00'), start * 86_400_000 + 3_600_000);
        const to = addMs(from, length * 86_400_000 + 12_345_000);
        const text = (at: Instant): string => at.slice(0, 19);
        let facts: Facts = {
          deferred: toDecimalString(decimal(String(amount) as DecimalString).dividedBy(100)),
          from: text(from),
          to: text(to),
          timeZone: 'Europe/Berlin',
        };
        const posted: JournalEntry[] = [];
        const sum = (): number =>
          Number(
            addDecimals(
              posted
                .flatMap((entry) => entry.postings)
                .filter(({ account }) => account === 'revenue')
                .map((posting) => posting.amount),
            ),
          );
        for (const [index, day] of [...runs].sort((a, b) => a - b).entries()) {
          if (index === 2 && changed !== null)
            facts = { ...facts, deferred: toDecimalString(decimal(String(changed) as DecimalString).dividedBy(100)) };
          const at = text(addMs(from, day * 86_400_000));
          posted.push(...due(facts, posted, at));
          expect(due(facts, posted, at)).toEqual([]);
          const share = Math.min(
            1,
            Math.max(0, (day * 86_400_000) / (Date.parse(`${facts.to ?? ''}Z`) - Date.parse(`${facts.from ?? ''}Z`))),
          );
          expect(Math.abs(sum())).toBeLessThanOrEqual(Math.abs(Number(facts.deferred)) * share + 0.01);
        }
        posted.push(...due(facts, posted, '2030-01-01T00:00:00'));
        expect(sum()).toBe(-Number(facts.deferred) + 0);
        for (const entry of posted) expect(addDecimals(entry.postings.map((posting) => posting.amount))).toBe('0');
        expect(new Set(posted.map(({ sourceDocument }) => sourceDocument)).size).toBe(posted.length);
        posted.push(...due({ ...facts, deferred: '0' }, posted, null));
        expect(sum() + 0).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});
