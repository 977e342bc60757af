/** What operators read of a period in the Temporal UI: the `state` query and the current details in Markdown. */
import type { BillingPeriodInput, BillingPeriodState, BillingPeriodView } from '../../contracts/billing-period.js';
import { msToInstant } from '../../domain/time/instant.js';
import type { Instant } from '../../domain/values.js';

export interface PeriodSituation {
  readonly input: Pick<BillingPeriodInput, 'customerId' | 'period'>;
  readonly state: BillingPeriodState;
  readonly wakeUpMs: number | null;
  readonly invoiceNumber: string | null;
  /** By an open backfill. */
  readonly held: boolean;
}

/** Rows shown of a longer list. */
const rowsMax = 12;

export function viewOf({ input, state, wakeUpMs }: Omit<PeriodSituation, 'held'>): BillingPeriodView {
  return {
    customerId: input.customerId,
    period: input.period,
    stage: state.stage,
    appliedThrough: state.appliedThrough,
    openWindows: state.openWindows.map(({ meter, windowStart, windowEnd, quantity }) => ({
      meter,
      windowStart,
      windowEnd,
      quantity,
    })),
    closedWindows: state.closedWindows,
    nextDeadline: wakeUpMs === null ? null : msToInstant(wakeUpMs),
    usage: state.usage,
  };
}

export function markdownOf(situation: PeriodSituation): string {
  const { input, state, wakeUpMs, invoiceNumber, held } = situation;
  const facts: readonly (readonly [string, string])[] = [
    ['Customer', code(input.customerId)],
    ['Period', input.period],
    ['Stage', state.stage],
    ...(held ? [['Held', 'by an open backfill: see GET /backfills?status=open'] as const] : []),
    ['Open windows', state.manyWindows === null ? String(state.openWindows.length) : 'many; the ledger lists them'],
    ['Closed windows', String(state.closedWindows)],
    ['Next close', wakeUpMs === null ? '–' : short(msToInstant(wakeUpMs))],
    ['Events told by signals', String(state.events)],
    ['Applied through position', state.appliedThrough ?? '–'],
    ...(invoiceNumber === null ? [] : [['Invoice', invoiceNumber] as const]),
    ...(state.closeRequest === null ? [] : [['Close requested', state.closeRequest.reason ?? 'yes'] as const]),
    ...(state.needsAttention ? [['Needs attention', 'a finding was stored for this period'] as const] : []),
  ];
  return [
    ...table(['', ''], facts),
    ...section(
      'Usage told by signals',
      ['Meter', 'Quantity', 'Events'],
      state.usage.map((row) => [code(row.meter), row.quantity, String(row.events)]),
    ),
    ...section(
      'Open windows',
      ['Meter', 'From', 'To', 'Quantity'],
      state.openWindows.map((row) => [code(row.meter), short(row.windowStart), short(row.windowEnd), row.quantity]),
    ),
  ].join('\n');
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const hidden = rows.length - rowsMax;
  return [
    '',
    `### ${title}`,
    '',
    ...table(head, rows.slice(0, rowsMax)),
    ...(hidden > 0 ? ['', `… and ${hidden} more`] : []),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** Ids come from outside: a bar or back-tick in one must not break the table. */
const code = (text: string): string => `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``;

/** `2024-01-15 10:00:00Z` */
const short = (instant: Instant): string => `${instant.slice(0, 10)} ${instant.slice(11, 19)}Z`;
