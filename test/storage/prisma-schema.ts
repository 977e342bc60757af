/** Reads prisma/schema.prisma just far enough to hold it against a database. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TableDescription {
  /** `name type` or `name type NULL`, sorted. */
  readonly columns: readonly string[];
  /** Column lists, the primary key first. */
  readonly keys: readonly string[];
  /** `columns -> table(columns)`, sorted. */
  readonly foreignKeys: readonly string[];
}

const scalarTypes: Readonly<Record<string, string>> = {
  String: 'text',
  Int: 'int4',
  BigInt: 'int8',
  Boolean: 'bool',
  Json: 'jsonb',
  Bytes: 'bytea',
};
const nativeTypes: Readonly<Record<string, string>> = {
  Uuid: 'uuid',
  SmallInt: 'int2',
  Decimal: 'numeric',
  Date: 'date',
  'Timestamptz(6)': 'timestamptz',
};

interface Model {
  readonly table: string;
  readonly lines: readonly string[];
  /** Field to column. */
  readonly columns: ReadonlyMap<string, string>;
}

/** Table by table what schema.prisma says. */
export function describePrismaSchema(): ReadonlyMap<string, TableDescription> {
  const text = readFileSync(join(process.cwd(), 'prisma', 'schema.prisma'), 'utf8');
  const models = new Map<string, Model>();
  for (const [, name = '', body = ''] of text.matchAll(/^model (\w+) \{\n([\s\S]*?)^\}/gm)) {
    models.set(name, readModel(body));
  }
  return new Map([...models.values()].map((model) => [model.table, describe(model, models)]));
}

function readModel(body: string): Model {
  const lines = body
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('//'));
  const columns = new Map(
    lines
      .filter((line) => !line.startsWith('@@'))
      .map((line) => [line.split(/\s+/)[0] ?? '', /@map\("(\w+)"\)/.exec(line)?.[1] ?? line.split(/\s+/)[0] ?? '']),
  );
  return { table: /@@map\("(\w+)"\)/.exec(body)?.[1] ?? '', lines, columns };
}

function describe(model: Model, models: ReadonlyMap<string, Model>): TableDescription {
  const columns: string[] = [];
  const primary: string[] = [];
  const unique: string[] = [];
  const foreignKeys: string[] = [];
  for (const line of model.lines) {
    const list = /^@@(id|unique)\(\[([\w, ]+)\]/.exec(line);
    if (list !== null) (list[1] === 'id' ? primary : unique).push(columnList(model, list[2] ?? ''));
    if (line.startsWith('@@')) continue;
    const [field = '', type = ''] = line.split(/\s+/);
    const reference = /@relation\(.*?fields: \[([\w, ]+)\], references: \[([\w, ]+)\]/.exec(line);
    const target = models.get(type.replace(/[?[\]]/g, ''));
    if (target !== undefined) {
      if (reference === null) continue;
      const [, from = '', to = ''] = reference;
      foreignKeys.push(`${columnList(model, from)} -> ${target.table}(${columnList(target, to)})`);
      continue;
    }
    columns.push(columnOf(model.columns.get(field) ?? '', type, line));
    if (/ @id\b/.test(line)) primary.push(model.columns.get(field) ?? '');
    if (/ @unique\b/.test(line)) unique.push(model.columns.get(field) ?? '');
  }
  return { columns: columns.sort(), keys: [...primary, ...unique.sort()], foreignKeys: foreignKeys.sort() };
}

function columnOf(column: string, type: string, line: string): string {
  const native = /@db\.(\w+(?:\(\d+\))?)/.exec(line)?.[1];
  const base = native === undefined ? scalarTypes[type.replace(/[?[\]]/g, '')] : nativeTypes[native];
  return `${column} ${type.endsWith('[]') ? '_' : ''}${base ?? `? ${type}`}${type.endsWith('?') ? ' NULL' : ''}`;
}

function columnList(model: Model, fields: string): string {
  return fields
    .split(',')
    .map((field) => model.columns.get(field.trim()) ?? field)
    .join(', ');
}
