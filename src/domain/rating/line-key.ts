import { groupKeyText } from '../metering/group-key.js';
import type { GroupKey } from '../values.js';

/** A line's identity in its chain: meter and pricing group (RULES 26), as a JSON list, so that no part runs into the next. */
export function lineKeyOf(meter: string, group: GroupKey): string {
  return `[${JSON.stringify(meter)},${groupKeyText(group)}]`;
}
