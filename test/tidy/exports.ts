/** Values that are exported for nobody. */
import { dirname, join, normalize } from 'node:path';
import { exportedValues, importedNames, usesOf } from './source.js';
import type { SourceFile } from './source.js';

export interface Unimported {
  /** `path: name`. */
  readonly value: string;
  /** Whether its own file uses it. */
  readonly isUsed: boolean;
}

/** Of the exported values of `sources` those that no file of `importers` takes. */
export function unimported(sources: readonly SourceFile[], importers: readonly SourceFile[]): readonly Unimported[] {
  const taken = new Set<string>();
  for (const importer of importers) {
    for (const { specifier, names } of importedNames(importer)) {
      if (!specifier.startsWith('.')) continue;
      const path = normalize(join(dirname(importer.path), specifier)).replace(/\.js$/, '.ts');
      for (const name of names ?? ['*']) taken.add(`${path}: ${name}`);
    }
  }
  return sources
    .filter(({ path }) => !taken.has(`${path}: *`))
    .flatMap((file) =>
      exportedValues(file)
        .filter((name) => !taken.has(`${file.path}: ${name}`))
        .map((name) => ({ value: `${file.path}: ${name}`, isUsed: usesOf(file, name) > 0 })),
    );
}
