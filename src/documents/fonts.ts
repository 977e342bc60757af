/** The font files of a document: Noto Sans from its package, and whatever the operator adds for other scripts. */
// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- fonts are files; only this module of the folder reads any
import { readFileSync } from 'node:fs';
// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- as above: the font package is found by Node's own rules
import { createRequire } from 'node:module';

export type Weight = 'regular' | 'bold';

/** Covers Latin with all its extensions, Greek, Cyrillic, Vietnamese, Devanagari and the currency signs. */
const packaged = {
  regular: '@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf',
  bold: '@expo-google-fonts/noto-sans/700Bold/NotoSans_700Bold.ttf',
} as const satisfies Record<Weight, string>;

// The package is found from this module, wherever the program was started.
const require = createRequire(import.meta.url);
const kept = new Map<string, Buffer>();

/** A font file's bytes; read once a process. Throws when the file cannot be read. */
export function fontFile(path: string): Buffer {
  const known = kept.get(path);
  if (known !== undefined) return known;
  const bytes = readFileSync(path);
  kept.set(path, bytes);
  return bytes;
}

export function packagedFont(weight: Weight): Buffer {
  return fontFile(require.resolve(packaged[weight]));
}
