import { invariant } from '../failure.js';
import { groupKeyText } from '../metering/group-key.js';
import type { GroupKey } from '../values.js';

/** A line's identity in its chain: meter and pricing group (RULES 26), as a JSON list, so that no part runs into the next. */
export function lineKeyOf(meter: string, group: GroupKey): string {
  return `[${JSON.stringify(meter)},${groupKeyText(group)}]`;
}

/** Of a fee; sorts after every meter. What is billed in advance is another line than what is billed in arrears. */
export function feeLineKey({ name, billed }: { readonly name: string; readonly billed: string }): string {
  return `{"fee":${JSON.stringify(name)},"billed":${JSON.stringify(billed)}}`;
}

/** Of the top-up to a minimum commitment: an invoice has one at most. Sorts last. */
export const commitmentLineKey = '{"minimum_commitment":true}';

interface LineOfCharge {
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly lineKey?: string;
}

export function lineKeyOfCharge({ meter, group, lineKey }: LineOfCharge): string {
  if (lineKey !== undefined) return lineKey;
  invariant(meter !== null, 'a charge without a meter names its line');
  return lineKeyOf(meter, group);
}
