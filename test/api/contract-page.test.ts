/** docs/reference/API.md shows every body that can be sent: a client that reads it alone must be able to send each. */
import { readFileSync } from 'node:fs';
import { TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;
interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
}

let api: TestApi;
let paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
beforeAll(async () => {
  api = await TestApi.start();
  const document = await api.expect(200, 'GET', '/openapi.json');
  paths = document['paths'] as typeof paths;
});
afterAll(() => api.close());

const page = readFileSync('docs/reference/API.md', 'utf8');

/** What the page shows to send, by route: the text from its name to the next one. `/x/a|b` stands for two routes, `{any}` for `{}`. */
function shownBodies(): ReadonlyMap<string, string> {
  const code = page
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .join('\n');
  const shown = new Map<string, string>();
  for (const [, method = '', path = '', text = ''] of code.matchAll(
    /\b(POST|PUT|GET) (\/[^\s,:?]*)([^]*?)(?=\b(?:POST|PUT|GET) \/|$)/g,
  )) {
    const cut = path.lastIndexOf('/') + 1;
    for (const last of path.slice(cut).split('|')) {
      const name = `${method} ${path.slice(0, cut)}${last}`.replaceAll(
        /\{\w+\}|(?<=months\/)[\d-]+|(?<=(entities|tags)\/)[\w-]+/g,
        '{}',
      );
      shown.set(name, (shown.get(name) ?? '') + text);
    }
  }
  return shown;
}

const withBodies = (): readonly (readonly [string, Json])[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) => {
      const schema = requestBody?.content['application/json']?.schema;
      return schema === undefined
        ? []
        : [[`${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`, schema] as const];
    }),
  );

test('every route that takes a body shows one', () => {
  const shown = shownBodies();
  expect(withBodies().length).toBeGreaterThan(35);
  expect(withBodies().flatMap(([name]) => (shown.has(name) ? [] : [name]))).toEqual([]);
});

test('what a body must have is shown with its route', () => {
  const shown = shownBodies();
  const missing = withBodies().flatMap(([name, { required = [] }]) =>
    (required as readonly string[])
      .filter((property) => !shown.get(name)?.includes(`"${property}"`))
      .map((property) => `${name}: ${property}`),
  );
  expect(missing).toEqual([]);
});

test('what live usage says is shown with its route', async () => {
  const { components } = await api.expect(200, 'GET', '/openapi.json');
  const { Usage: schema } = (components as { readonly schemas: Readonly<Record<string, Json>> }).schemas;
  const shown = shownBodies().get('GET /customers/{}/usage');
  const names = Object.keys(schema?.['properties'] as Json);
  expect(names).toContain('next_close_at');
  expect(names.filter((name) => shown?.includes(`"${name}"`) !== true)).toEqual([]);
});

test('every aggregation has a row that says what its value means', async () => {
  const body = withBodies().find(([name]) => name === 'POST /meters')?.[1] as {
    readonly properties: { readonly aggregation: { readonly enum: readonly string[]; readonly description: string } };
  };
  const { enum: aggregations, description } = body.properties.aggregation;
  expect(aggregations).toHaveLength(7);
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  for (const aggregation of aggregations) {
    expect({
      aggregation,
      rows: rows.filter((row) => row.split('|')[1]?.includes(`\`${aggregation}\``)).length,
    }).toEqual({ aggregation, rows: 1 });
    expect(description).toContain(aggregation);
  }
  expect(rows.find((row) => row.startsWith('| `weighted_sum`'))).toMatch(/\*\*change\*\* of a level/);
});
