/** The text of a JSON body, without a byte order mark: RFC 8259 (8.1) lets a reader ignore one, and some programs write it. */
export function jsonTextOf(body: Buffer): string {
  return withoutByteOrderMark(body.toString('utf8'));
}

export function withoutByteOrderMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
