/** CSV as RFC 4180 has it: lines end in CR LF, a quote within a quoted field is doubled. */

const needsQuotes = /[",\r\n]/;
/** What a spreadsheet would take for a formula; white space before it does not keep it from that. */
const formula = /^\s*[=+\-@\t\r]/;

/** Text that others have written: what begins like a formula gets an apostrophe, so that no spreadsheet computes it. */
export function csvText(text: string | null): string {
  const value = text ?? '';
  return quoted(formula.test(value) ? `'${value}` : value);
}

export function csvLine(fields: readonly string[]): string {
  return `${fields.join(',')}\r\n`;
}

function quoted(value: string): string {
  return needsQuotes.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
