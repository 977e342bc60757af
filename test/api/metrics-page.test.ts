/** What is served, what OPERATE says of it, and what alerts are made of are the same metrics. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { TestApi } from './support/test-api.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}
const { groups } = parse(readFileSync('ops/prometheus/reckoner-alerts.yml', 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const page = readFileSync('docs/guides/OPERATE.md', 'utf8');
const section = (title: string): string => page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
const namesIn = (text: string): readonly string[] => [...new Set(text.match(/\breckoner_[a-z_]+\b/g) ?? [])].sort();

let served: string;
let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
  served = (await api.send('GET', '/metrics')).body;
});
afterAll(() => api.close());
const servedNames = (): readonly string[] =>
  [...served.matchAll(/^# HELP (reckoner_\w+)/gm)].map(([, name = '']) => name).sort();

test('every alert is made of metrics that are served, with labels that they have', () => {
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, expr } of rules) {
    expect({ alert, names: namesIn(expr).length > 0 }).toEqual({ alert, names: true });
    expect({ alert, unknown: namesIn(expr).filter((name) => !servedNames().includes(name)) }).toEqual({
      alert,
      unknown: [],
    });
    for (const [, name, label, value] of expr.matchAll(/(reckoner_\w+)\{(stage|result|outcome)="(\w+)"/g))
      expect(served).toContain(`${name}{${label}="${value}"}`);
  }
});

test('OPERATE has a row for every alert, which names its metrics, and none for others', () => {
  const rows = section('Alerts')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.map((row) => /^\| `(\w+)`/.exec(row)?.[1])).toEqual(rules.map(({ alert }) => alert));
  for (const [index, { alert, expr }] of rules.entries()) {
    const missing = namesIn(expr).filter((name) => !namesIn(rows[index] ?? '').includes(name));
    expect({ alert, missing }).toEqual({ alert, missing: [] });
  }
});

test('OPERATE says of every metric that is served what it is, and of no other', () => {
  const rows = section('Metrics')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const first = rows.map((row) => row.split(' | ')[0] ?? '').join('\n');
  expect(namesIn(first)).toEqual(servedNames());
});
