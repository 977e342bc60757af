/** docker-compose.yml and Dockerfile name only what exists. (That they run is tried by hand: tests have no Docker.) */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { loadConfig, settingNames } from '../../src/config.js';
import { searchAttributeKeys } from '../../src/contracts/search-attributes.js';

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly restart?: string;
  readonly healthcheck?: unknown;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);
const dockerfile = readFileSync('Dockerfile', 'utf8');

/** What compose makes of `${NAME:-default}` when nothing is set but the password. */
function interpolated(value: string): string {
  return value.replace(
    /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (_all, name: string, kind: string | undefined, rest: string | undefined) =>
      name === 'POSTGRES_PASSWORD' ? 'secret' : kind === '-' ? (rest ?? '') : '',
  );
}

test('has the parts of production', () => {
  expect(Object.keys(compose.services)).toEqual(
    expect.arrayContaining(['postgres', 'temporal', 'temporal-ui', 'migrate', 'api', 'worker']),
  );
});

describe.each(ours)('%s', (_name, { command, environment = {} }) => {
  test('runs a command of the program', () => {
    const usage = readFileSync('src/main.ts', 'utf8');
    expect(usage).toMatch(new RegExp(`^  ${command?.[0]} `, 'm'));
  });

  test('sets only what the program reads, and that makes a configuration', () => {
    expect(Object.keys(environment).filter((name) => !settingNames.includes(name))).toEqual([]);
    const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, interpolated(value)]));
    expect(loadConfig(env)).toMatchObject({
      databaseUrl: 'postgresql://reckoner:secret@postgres:5432/reckoner',
      temporal: { address: 'temporal:7233' },
    });
  });

  test('has the defaults of the program', () => {
    const defaults = loadConfig({ DATABASE_URL: 'postgresql://x/y' });
    const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, interpolated(value)]));
    const { databaseUrl: _1, temporal: _2, http: _3, ...found } = loadConfig(env);
    expect(defaults).toMatchObject(found);
  });
});

test('every image has a fixed version', () => {
  const images = services.flatMap(([, { image, build }]) =>
    image === undefined || build !== undefined ? [] : [image],
  );
  expect(images.length).toBeGreaterThan(3);
  expect(images.filter((image) => !/:\d+(\.\d+)*$/.test(image))).toEqual([]);
});

test('what is waited for exists, and can be waited for in that way', () => {
  for (const [name, { depends_on: dependencies = {} }] of services) {
    for (const [other, { condition }] of Object.entries(dependencies)) {
      const service = compose.services[other];
      expect({ name, other, found: service !== undefined }).toMatchObject({ found: true });
      if (condition === 'service_healthy') expect(service?.healthcheck).toBeDefined();
      else expect(service?.restart).toMatch(/^on-failure/);
    }
  }
});

test.each(ours)('%s is told every setting of the server, but those that nobody sets there', (_name, service) => {
  const environment = service.environment ?? {};
  // Within containers: where the API and the metrics listen is fixed, and of those that have none it says nothing.
  const fixed = ['RECKONER_HTTP_HOST', 'RECKONER_HTTP_PORT', 'RECKONER_METRICS_HOST'];
  expect(settingNames.filter((name) => environment[name] === undefined && !fixed.includes(name))).toEqual([]);
});

test('what is passed on from .env is passed under its own name', () => {
  const passed = ours.flatMap(([, { environment = {} }]) =>
    Object.entries(environment).filter(([, value]) => value.startsWith('${')),
  );
  expect(passed.length).toBeGreaterThan(50);
  expect(passed.filter(([name, value]) => !value.startsWith(`\${${name}`))).toEqual([]);
});

test("the API listens, and a worker's metrics can be scraped, beyond the loopback of their containers", () => {
  expect(compose.services['api']?.environment).toMatchObject({ RECKONER_HTTP_HOST: '0.0.0.0' });
  expect(compose.services['worker']?.environment).toMatchObject({ RECKONER_METRICS_HOST: '0.0.0.0' });
});

test('API and workers see the files that settings name, and workers may write the anchor file', () => {
  for (const name of ['api', 'worker']) {
    const mounts = (compose.services[name]?.volumes ?? []).map((volume) => interpolated(volume));
    expect({ name, mounts }).toEqual({
      name,
      mounts: ['./ops/compose/files:/files:ro', 'audit-anchors:/anchors'],
    });
  }
  expect(dockerfile).toMatch(/chown node:node \/anchors/);
});

test('files that are mounted exist, and volumes are declared', () => {
  const sources = services.flatMap(([, { volumes = [] }]) =>
    volumes.map((volume) => interpolated(volume).split(':')[0] ?? ''),
  );
  for (const source of sources) {
    expect({ source, found: source.startsWith('./') ? existsSync(source) : source in compose.volumes }).toMatchObject({
      found: true,
    });
  }
});

test('nothing is published beyond loopback: the API has no authentication', () => {
  const ports = services.flatMap(([, service]) => service.ports ?? []);
  expect(ports.length).toBeGreaterThan(1);
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
});

test('the namespace job makes the search attributes of the contracts', () => {
  const script = readFileSync('ops/compose/temporal-namespace.sh', 'utf8');
  const made = /for attribute in ([^;]*);/.exec(script)?.[1]?.split(' ');
  const types = { KEYWORD: 'Keyword', BOOL: 'Bool' };
  expect(made).toEqual(searchAttributeKeys.map(({ name, type }) => `${name}:${types[type]}`));
});

test('the Dockerfile copies what exists, and runs what package.json has', () => {
  const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap((match) =>
    (match[1] ?? '').split(' '),
  );
  expect(copies.length).toBeGreaterThan(5);
  expect(copies.filter((path) => !existsSync(path))).toEqual([]);
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const runs = [...dockerfile.matchAll(/npm run (\w+)/g)].map((match) => match[1] ?? '');
  expect(runs.length).toBeGreaterThan(0);
  expect(runs.filter((name) => scripts[name] === undefined)).toEqual([]);
  expect(dockerfile).toMatch(/^USER node$/m);
});
