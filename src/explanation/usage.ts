/** What was used, and when: a line a day, or every window. */
import { Temporal } from 'temporal-polyfill';
import { groupBy } from '../domain/group-by.js';
import type { ChargeExplanation, ExplainedWindow } from './charge-explanation.js';
import { decimalText, fraction, sum } from './fraction.js';
import { dayText, facts, lastLocalDay, localDay, momentText, stretchText, wrapped } from './text.js';
import { eventsText } from './words.js';

export function usageText(charge: ChargeExplanation, allWindows: boolean): string {
  const { calculation, meter, time_zone: zone } = charge;
  const { count, stands_for: standsFor, first } = calculation.source_events;
  const windows = windowsOf(charge);
  const many = standsFor !== null && standsFor !== String(count) ? `, which stand for ${standsFor}` : '';
  const [from, to] = [windows[0]?.window_start, windows.at(-1)?.window_end];
  const when =
    from === undefined || to === undefined || isLevel(charge)
      ? ''
      : `, between ${momentText(from, zone)} and ${momentText(to, zone)}`;
  const total = `${calculation.quantity} of "${meter ?? ''}"${howMeasured(charge)}, from ${eventsText(count)}${many}${when}.`;
  return [
    wrapped(total),
    openingText(charge),
    decidedText(charge),
    isLevel(charge) && !allWindows
      ? levelTable(charge)
      : windows.length === 0
        ? ''
        : tableOf(charge, windows, allWindows),
    eventsHint(charge, first),
    openingHint(charge),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** What a level began with: without it a period without changes would bill units that come from nowhere. */
function openingText({ calculation: { opening_level: opening }, time_zone: zone }: ChargeExplanation): string {
  if (opening === null || opening === undefined) return '';
  const { at, level, event_count: count } = opening;
  const origin = count === 0 ? 'nothing had changed it before' : `carried from before, from ${eventsText(count)}`;
  return wrapped(`The level was ${level} when the period began (${momentText(at, zone)}): ${origin}.`);
}

const isLevel = ({ aggregation }: ChargeExplanation): boolean => aggregation === 'weighted_sum';

/** Of the lowest, highest or last value: whose it is. */
function decidedText({ calculation: { decided_by: decided }, time_zone: zone }: ChargeExplanation): string {
  if (decided === null || decided === undefined) return '';
  const { event_id: id, source, event_time: at, value } = decided;
  const from = source === '' ? '' : ` (from "${source}")`;
  return wrapped(`It is the value ${value ?? ''} of event "${id}"${from}, at ${momentText(at, zone)}.`);
}

/** A window of a level says nothing of when it changed: how high it stood, and how long. */
function levelTable({ calculation: { level_stretches: stretches }, time_zone: zone }: ChargeExplanation): string {
  if (stretches === null || stretches === undefined) return '';
  const head = { when: 'From', level: 'Level', lasted: 'Lasted' };
  const rows = stretches.map(({ from, to, level }) => ({
    when: momentText(from, zone),
    level,
    lasted: lasted(from, to),
  }));
  const width = (of: (row: typeof head) => string): number => Math.max(...[head, ...rows].map((row) => of(row).length));
  const [when, level, duration] = [width((row) => row.when), width((row) => row.level), width((row) => row.lasted)];
  return [head, ...rows]
    .map((row) => `  ${row.when.padEnd(when)}  ${row.level.padStart(level)}  ${row.lasted.padStart(duration)}\n`)
    .join('');
}

/** Elapsed time, which is what weighs a level: a day is 24 hours. */
function lasted(from: string, to: string): string {
  const duration = Temporal.Instant.from(to)
    .since(Temporal.Instant.from(from), { largestUnit: 'hours' })
    .round({ largestUnit: 'days', smallestUnit: 'microseconds' });
  const { days, hours, minutes, seconds, milliseconds, microseconds } = duration;
  const fraction = String(milliseconds * 1_000 + microseconds)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const parts = [
    [String(days), 'd'],
    [String(hours), 'h'],
    [String(minutes), 'min'],
    [fraction === '' ? String(seconds) : `${seconds}.${fraction}`, 's'],
  ];
  return parts
    .filter(([count]) => count !== '0')
    .map((part) => part.join(' '))
    .join(' ');
}

function openingHint({ calculation: { opening_level: opening } }: ChargeExplanation): string {
  if (opening === null || opening === undefined || opening.event_count === 0) return '';
  const { event_count: count, first, digest } = opening;
  return facts([
    [count > first.length ? 'First events before' : 'Events before', first.join(', ')],
    ['Fingerprint', `${digest} (of all events that made the level)`],
  ]);
}

/** A version may come back after another one's end: what lies between is not its own. */
function windowsOf({ calculation }: ChargeExplanation): readonly ExplainedWindow[] {
  const { in_force: inForce, windows } = calculation;
  return windows.filter(({ window_start: at }) => inForce.some(({ from, to }) => at >= from && at < to));
}

/** What of these windows adds up to the charge's quantity. */
const addsUp = ({ aggregation }: ChargeExplanation): boolean => aggregation === 'count' || aggregation === 'sum';

const measures: Readonly<Record<string, string>> = {
  max: ' (the highest value)',
  min: ' (the lowest value)',
  latest: ' (the last value)',
  unique_count: ' (different values)',
  weighted_sum: ' (the level, weighted by how long it lasted)',
};
const howMeasured = ({ aggregation }: ChargeExplanation): string => measures[aggregation ?? ''] ?? '';

interface Row {
  readonly when: string;
  readonly quantity: string;
  readonly events: number;
  /** Of a window of more than a day: on which of its days something was used is not known here. */
  readonly isLonger?: boolean;
}

function tableOf(charge: ChargeExplanation, windows: readonly ExplainedWindow[], allWindows: boolean): string {
  const rows = allWindows ? windows.map((window) => rowOf(charge, window)) : daysOf(charge, windows);
  const withQuantity = allWindows || addsUp(charge);
  const head = {
    when: allWindows ? 'From' : rows.some(({ isLonger }) => isLonger === true) ? 'When' : 'Day',
    quantity: 'Quantity',
    events: 'Events',
  };
  const texts = [head, ...rows.map((row) => ({ ...row, events: String(row.events) }))];
  const widest = (of: (row: (typeof texts)[number]) => string): number =>
    texts.reduce((width, row) => Math.max(width, of(row).length), 0);
  const [when, quantity, events] = [
    widest((row) => row.when),
    widest((row) => row.quantity),
    widest((row) => row.events),
  ];
  return texts
    .map((row) => {
      const amount = withQuantity ? `  ${row.quantity.padStart(quantity)}` : '';
      return `  ${row.when.padEnd(when)}${amount}  ${row.events.padStart(events)}\n`;
    })
    .join('');
}

function rowOf({ time_zone: zone }: ChargeExplanation, window: ExplainedWindow): Row {
  const when = `${momentText(window.window_start, zone)} – ${momentText(window.window_end, zone)}`;
  return { when, quantity: window.quantity, events: window.event_count };
}

function daysOf({ time_zone: zone }: ChargeExplanation, windows: readonly ExplainedWindow[]): readonly Row[] {
  const days = windows.map((window) => {
    const { window_start: from, window_end: to } = window;
    const isLonger = localDay(from, zone) !== lastLocalDay(to, zone);
    return { ...window, isLonger, when: isLonger ? stretchText({ from, to }, zone) : dayText(localDay(from, zone)) };
  });
  return [...groupBy(days, ({ when }) => when)].map(([when, own]) => ({
    when,
    quantity: decimalText(sum(own.map(({ quantity }) => fraction(quantity)))),
    events: own.reduce((count, window) => count + window.event_count, 0),
    isLonger: own[0].isLonger,
  }));
}

function eventsHint({ calculation }: ChargeExplanation, first: readonly string[]): string {
  const { count, digest } = calculation.source_events;
  if (count === 0) return '';
  return facts([
    [count > first.length ? 'First events' : 'Events', first.join(', ')],
    ['Fingerprint', `${digest} (of all events that were counted)`],
  ]);
}
