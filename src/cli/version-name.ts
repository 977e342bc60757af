/** How a price book version is named on the command line. */
import { UsageError } from './terminal.js';

/** `standard@v2`; a version may contain `@`, a code that does cannot be told. */
export function versionOf(text: string): { readonly code: string; readonly version: string } {
  const at = text.indexOf('@');
  if (at > 0 && at < text.length - 1) return { code: text.slice(0, at), version: text.slice(at + 1) };
  throw new UsageError('--price-book is written CODE@VERSION, such as standard@v2');
}
