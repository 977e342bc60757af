/** Prints calendar results as JSON: run under several TZ values, it must print the same. */
import { type CalendarPeriod, periodContaining } from '../../../src/calendar/calendar.js';
import { cutsOf } from '../../../src/calendar/time-zones.js';
import { anchors, zones } from './zones.js';
import { parseInstant } from '../../../src/domain/time/instant.js';
import type { Instant } from '../../../src/domain/values.js';

const results: Record<string, { period: CalendarPeriod; cuts: readonly Instant[] }> = {};
for (const timeZone of zones) {
  for (const anchorDay of anchors) {
    for (const text of [
      '2011-12-30T12:00:00Z',
      '2018-11-04T02:30:00Z',
      '2024-03-10T07:00:00Z',
      '2024-10-27T01:00:00Z',
    ]) {
      const period = periodContaining([{ timeZone, anchorDay, from: null }], parseInstant(text));
      results[`${timeZone} ${anchorDay} ${text}`] = { period, cuts: cutsOf(period, timeZone) };
    }
  }
}
process.stdout.write(JSON.stringify({ offsetMinutes: new Date(1_720_000_000_000).getTimezoneOffset(), results }));
