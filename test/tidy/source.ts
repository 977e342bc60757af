/** The project's own files, and what the rules of tidy.test.ts need to know of a TypeScript source. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

/** Jest runs from the project's root. */
export const root = process.cwd();

const notOurs = new Set(['node_modules', 'dist', '.data', 'coverage', '.git', '.env', '.stryker']);

/** Paths relative to the root, with `/`. */
export function projectFiles(folder = root): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !notOurs.has(entry.name) && !entry.name.endsWith('.log'))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? projectFiles(path) : [relative(root, path).replaceAll('\\', '/')];
    })
    .sort();
}

export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  /** Erased by the compiler: `import type`, `export type … from`. */
  readonly typeOnly: boolean;
}

function parse({ path, text }: SourceFile): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => visit(child, see));
}

const textOfLiteral = (node: ts.Node | undefined): string | null =>
  node !== undefined && ts.isStringLiteralLike(node) ? node.text : null;

/** Imports, re-exports and `import()` of a file, in order. */
export function importsOf(file: SourceFile): readonly Import[] {
  const found: Import[] = [];
  const add = (specifier: string | null, typeOnly: boolean): void => {
    if (specifier !== null) found.push({ specifier, typeOnly });
  };
  visit(parse(file), (node) => {
    if (ts.isImportDeclaration(node)) add(textOfLiteral(node.moduleSpecifier), node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node)) add(textOfLiteral(node.moduleSpecifier), node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(textOfLiteral(node.arguments[0]), false);
    }
  });
  return found;
}

/** Whether the identifier names a global here, not a property, a key or a declaration of the same name. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) {
    return (ts.isPropertyAccessExpression(parent) ? parent.expression : parent.left) === node;
  }
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !(
    ts.isPropertySignature(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isPropertyDeclaration(parent)
  );
}

export interface Banned {
  readonly globals: readonly string[];
  /** `Date.now`, or `.toLocaleString` on anything. */
  readonly members: readonly string[];
  /** `new Date()` without an argument reads the clock. */
  readonly clockFromDate: boolean;
}

/** Uses of what is banned, as `line: what`. */
export function bannedUses(file: SourceFile, banned: Banned): readonly string[] {
  const source = parse(file);
  const found: string[] = [];
  const report = (node: ts.Node, what: string): void => {
    found.push(`${file.path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${what}`);
  };
  visit(source, (node) => {
    if (ts.isIdentifier(node) && banned.globals.includes(node.text) && isUse(node)) report(node, node.text);
    if (ts.isPropertyAccessExpression(node)) {
      const member = `${node.expression.getText()}.${node.name.text}`;
      if (banned.members.includes(member) || banned.members.includes(`.${node.name.text}`)) report(node, member);
    }
    const isDate = ts.isNewExpression(node) && node.expression.getText() === 'Date';
    if (banned.clockFromDate && isDate && (node.arguments ?? []).length === 0) report(node, 'new Date()');
  });
  return found;
}

const suites = new Set(['describe', 'it', 'test']);
const notRun = new Set(['only', 'skip', 'todo', 'failing']);
const aliases = new Set(['xit', 'fit', 'xtest', 'xdescribe', 'fdescribe']);

/** Tests that are singled out or left out, as `line: what`. */
export function testsNotRun(file: SourceFile): readonly string[] {
  const source = parse(file);
  const found: string[] = [];
  visit(source, (node) => {
    const alias = ts.isCallExpression(node) && ts.isIdentifier(node.expression) && aliases.has(node.expression.text);
    const member =
      ts.isPropertyAccessExpression(node) && suites.has(node.expression.getText()) && notRun.has(node.name.text);
    if (!alias && !member) return;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${file.path}:${line + 1}: ${member ? node.getText() : node.getText().split('(')[0]}`);
  });
  return found;
}

/** Names that a module exports as values. */
export function exportedValues(file: SourceFile): readonly string[] {
  const names: string[] = [];
  for (const statement of parse(file).statements) {
    if (ts.isExportDeclaration(statement) && !statement.isTypeOnly && statement.exportClause !== undefined) {
      if (ts.isNamedExports(statement.exportClause)) {
        names.push(
          ...statement.exportClause.elements
            .filter((element) => !element.isTypeOnly)
            .map((element) => element.name.text),
        );
      }
    } else if (ts.canHaveModifiers(statement)) {
      const exported = ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
      if (!exported) continue;
      const isNamed = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement);
      if (isNamed && statement.name !== undefined) names.push(statement.name.text);
      if (ts.isVariableStatement(statement)) {
        const { declarations } = statement.declarationList;
        names.push(...declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? name.text : [])));
      }
    }
  }
  return names;
}

/** How often a name stands in a file beside its declaration. */
export function usesOf(file: SourceFile, name: string): number {
  let count = -1;
  visit(parse(file), (node) => {
    if (ts.isIdentifier(node) && node.text === name) count += 1;
  });
  return count;
}

export interface ImportedNames {
  readonly specifier: string;
  /** null: all that there are. */
  readonly names: readonly string[] | null;
}

/** What a file takes of others by name, types and re-exports included. */
export function importedNames(file: SourceFile): readonly ImportedNames[] {
  const found: ImportedNames[] = [];
  const add = (
    specifier: ts.Node | undefined,
    elements: ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier> | null,
  ) => {
    const text = textOfLiteral(specifier);
    const names = elements?.map(({ propertyName, name }) => (propertyName ?? name).text) ?? null;
    if (text !== null) found.push({ specifier: text, names });
  };
  visit(parse(file), (node) => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings;
      add(node.moduleSpecifier, bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : null);
    } else if (ts.isExportDeclaration(node)) {
      const { exportClause } = node;
      add(
        node.moduleSpecifier,
        exportClause !== undefined && ts.isNamedExports(exportClause) ? exportClause.elements : null,
      );
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], null);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, null);
    }
  });
  return found;
}
