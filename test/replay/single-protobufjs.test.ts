import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Every copy of a package below a `node_modules`. */
function copiesOf(name: string, nodeModules: string): readonly string[] {
  if (!existsSync(nodeModules)) return [];
  const packages = readdirSync(nodeModules, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap((entry) =>
      entry.name.startsWith('@')
        ? readdirSync(join(nodeModules, entry.name)).map((inner) => join(entry.name, inner))
        : [entry.name],
    );
  return [
    ...packages.filter((entry) => entry === name).map((entry) => realpathSync(join(nodeModules, entry))),
    ...packages.flatMap((entry) => copiesOf(name, join(nodeModules, entry, 'node_modules'))),
  ];
}

test('one copy of protobufjs is installed: with two, histories do not load ("type must be a Type")', () => {
  expect(copiesOf('protobufjs', join(process.cwd(), 'node_modules'))).toHaveLength(1);
});
