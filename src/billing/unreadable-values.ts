import type { UnreadableValues } from '../storage/types.js';

/** What is said of values that a meter cannot read: they hold the invoice (RULES 10). */
export function unreadableDetail({ meter, count, example }: UnreadableValues[number]): string {
  return `${count} event(s) of the period have no decimal where the meter "${meter}" reads its value, for example ${example}.`;
}
