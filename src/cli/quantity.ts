/** A quantity to price, as the command line writes it. */
import { UsageError } from './terminal.js';

/** `api_calls=1234`, or of a group `egress[region=eu]=100`, as the API takes it. @throws UsageError */
export function quantityOf(text: string): object {
  const at = text.lastIndexOf('=');
  if (at < 1 || at === text.length - 1 || text.endsWith(']'))
    throw new UsageError(
      `--quantity is a meter and a number, such as api_calls=1234 or egress[region=eu]=100; got "${text}"`,
    );
  const quantity = text.slice(at + 1);
  const [, meter = '', inside] = /^([^[]+)\[(.*)\]$/.exec(text.slice(0, at)) ?? [];
  return inside === undefined
    ? { meter: text.slice(0, at), quantity }
    : { meter, group: groupOf(inside, text), quantity };
}

/** `region=eu,tier=std`; a value may contain "=", but no comma. */
function groupOf(inside: string, text: string): Readonly<Record<string, string>> {
  const entries = inside.split(',').map((part) => {
    const at = part.indexOf('=');
    if (at < 1) throw new UsageError(`a group is written as [property=value,…]; got "${text}"`);
    return [part.slice(0, at), part.slice(at + 1)] as const;
  });
  return Object.fromEntries(entries);
}
