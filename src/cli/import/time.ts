/** Brings the usual ways of writing an instant to RFC 3339. The value itself is judged by the API alone. */
import { UsageError } from '../terminal.js';

// Digits beyond the microsecond stay: the API truncates them (RULES 5).
const dateTime =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2})?(?:[.,](\d{1,18}))? ?(Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?$/;

/**
 * `2023-11-16 18:15:46.6805900` as `2023-11-16T18:15:46.6805900Z` with offset `Z`. A text that is no date and time passes
 * unchanged, so that the API refuses it with its own code and keeps it as a dead letter.
 * @param offset what a time without offset means; null: not said
 * @throws UsageError for a time without offset when `offset` is null
 */
export function toRfc3339(text: string, offset: string | null): string {
  const [, day, minutes, seconds = ':00', fraction, ownOffset] = dateTime.exec(text.trim()) ?? [];
  if (day === undefined || minutes === undefined) return text;
  const zone = ownOffset ?? offset;
  if (zone === null) {
    throw new UsageError(`the time '${text}' has no offset: say what it means, by --assume-utc or --time-zone +01:00`);
  }
  return `${day}T${minutes}${seconds}${fraction === undefined ? '' : `.${fraction}`}${rfcOffset(zone)}`;
}

function rfcOffset(zone: string): string {
  if (/^(?:z|utc)$/i.test(zone)) return 'Z';
  const [, sign = '+', hours = '00', minutes = '00'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  return `${sign}${hours}:${minutes}`;
}

/** The argument of --time-zone: `UTC` or a fixed offset. Named zones are refused: in autumn an hour has two meanings. */
export function parseOffset(text: string): string {
  if (/^(?:z|utc)$/i.test(text)) return 'Z';
  const [, hours, minutes = '00'] = /^[+-](\d{2}):?(\d{2})?$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59) {
    throw new UsageError(`--time-zone takes UTC or a fixed offset such as +01:00, not '${text}'`);
  }
  return rfcOffset(text);
}
