/** What decides the bytes of a document beside the document itself. */
// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- fonts are told apart by their bytes
import { createHash } from 'node:crypto';
import { fontFile } from './fonts.js';

/** Counted up with every change of layout or words that changes the bytes of a document. */
const layoutVersion = 6;

/**
 * The name of the renderer: two documents that were made by the same one have the same bytes. Compression is zlib's, locales other
 * than `en` are written as this Node's CLDR has them, and the fonts are embedded.
 * @param fonts paths of the configured font files
 */
export function rendererName(fonts: readonly string[]): string {
  const { zlib = '', cldr = '' } = process.versions;
  const own = fonts.map((path) => createHash('sha256').update(fontFile(path)).digest('hex').slice(0, 12));
  return [`layout ${layoutVersion}`, `zlib ${zlib}`, `cldr ${cldr}`, ...own.map((font) => `font ${font}`)].join(', ');
}
