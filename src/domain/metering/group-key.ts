/** What usage is grouped by, and its text: the identity of a group in line keys, sorting and comparison. */
import { compareText } from '../compare-text.js';
import type { GroupKey } from '../values.js';

export const noGroup: GroupKey = Object.freeze({});

/**
 * Canonical JSON, keys sorted by code unit: equal groups have equal texts, different ones different texts, whatever characters
 * names and values contain. `null` (the property is missing) differs from the text `"null"`.
 */
export function groupKeyText(group: GroupKey): string {
  const members = Object.keys(group)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(group[name] ?? null)}`);
  return `{${members.join(',')}}`;
}

/**
 * The pricing group: the group reduced to the properties that the price counts by; null keeps all of them, `[]` pools
 * all groups into one (RULES 17). A property that the group does not have is null.
 */
export function projectGroup(group: GroupKey, priceBy: readonly string[] | null): GroupKey {
  if (priceBy === null) return group;
  return Object.fromEntries(priceBy.map((name) => [name, Object.hasOwn(group, name) ? (group[name] ?? null) : null]));
}

/** Total order by canonical text; negative, zero or positive. */
export function compareGroups(a: GroupKey, b: GroupKey): -1 | 0 | 1 {
  return compareText(groupKeyText(a), groupKeyText(b));
}
