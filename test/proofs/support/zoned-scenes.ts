/** Days that are odd, each with a customer whose billing period contains it, and events around every bound of its days. */
import { seeded } from './interleavings.js';

export interface ZonedScene {
  readonly customerId: string;
  readonly timeZone: string;
  readonly anchorDay: number;
  /** The period that contains it is looked at. */
  readonly at: string;
}

const scenes: readonly (readonly [string, number, string])[] = [
  ['UTC', 31, '2024-02-29T12:00:00Z'],
  ['Europe/Berlin', 31, '2024-03-31T12:00:00Z'], // a day of 23 hours
  ['Europe/Berlin', 29, '2024-10-27T12:00:00Z'], // of 25
  ['Australia/Lord_Howe', 30, '2024-04-07T12:00:00Z'], // of 24.5
  ['Australia/Lord_Howe', 29, '2024-10-06T12:00:00Z'], // of 23.5
  ['Asia/Kolkata', 31, '2024-02-29T12:00:00Z'], // +05:30
  ['Asia/Kathmandu', 15, '2024-01-20T12:00:00Z'], // +05:45
  ['America/St_Johns', 30, '2011-03-13T12:00:00Z'], // −03:30; clocks changed at 00:01
  ['America/Sao_Paulo', 31, '2018-11-04T12:00:00Z'], // the day begins at 01:00
  ['America/Sao_Paulo', 4, '2018-11-04T12:00:00Z'], // and the period with it
  ['Asia/Beirut', 31, '2024-03-31T12:00:00Z'], // the same
  ['Africa/Cairo', 26, '2024-04-26T12:00:00Z'], // the same
  ['Pacific/Apia', 29, '2011-12-31T12:00:00Z'], // 30 December never was
  ['Pacific/Apia', 30, '2011-12-31T12:00:00Z'], // nor was the anchor
  ['Pacific/Chatham', 31, '2024-04-07T12:00:00Z'], // +13:45 to +12:45
  ['Africa/Casablanca', 29, '2024-03-10T12:00:00Z'], // clocks go back for Ramadan
];

export const zonedScenes: readonly ZonedScene[] = scenes.map(([timeZone, anchorDay, at], index) => ({
  customerId: `zoned-${index}`,
  timeZone,
  anchorDay,
  at,
}));

export const zonedMeters = [
  ['count', 'hour'],
  ['sum', 'day'],
  ['sum', 'month'],
  ['min', 'month'],
  ['max', 'day'],
  ['latest', 'day'],
  ['unique_count', 'month'],
  ['weighted_sum', 'day'],
] as const;
export type ZonedMeter = (typeof zonedMeters)[number];
export const codeOf = ([aggregation, window]: ZonedMeter): string => `${aggregation} by ${window}`;

export interface ZonedEvent {
  readonly eventId: string;
  /** Microseconds since 1970. */
  readonly micros: bigint;
  readonly value: number;
}

/** The same for a scene on every machine: anywhere in the ten weeks around, and a microsecond before and at every quarter of an hour. */
export function zonedEvents({ customerId, at }: ZonedScene): readonly ZonedEvent[] {
  const random = seeded([...customerId, ...at].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) >>> 0, 7));
  const start = Date.parse(at) - 35 * 86_400_000;
  return Array.from({ length: 240 }, (_, index) => {
    const quarter = BigInt(start + Math.floor(random() * 70 * 96) * 900_000) * 1_000n;
    const kind = random();
    const beyond = kind < 0.35 ? 0n : kind < 0.6 ? -1n : BigInt(Math.floor(random() * 900_000_000));
    return { eventId: `e${index}`, micros: quarter + beyond, value: Math.floor(random() * 9) - 2 };
  });
}
