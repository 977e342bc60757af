import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError, loadConfig, settingNames, settingsOfTools, unknownSettings } from '../src/config.js';
import { evaluate } from './support/evaluate.js';

const databaseUrl = 'postgresql://user:secret@db.example:5432/reckoner';
const minimal = { DATABASE_URL: databaseUrl };

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  test('needs nothing but the database', () => {
    expect(loadConfig(minimal)).toEqual({
      databaseUrl,
      temporal: { address: '127.0.0.1:7233', namespace: 'default' },
      bounds: { linesMax: 10_000, holdNegative: false, jumpFactor: 10, holdZero: true, trailing: 3 },
      http: { host: '127.0.0.1', port: 8080 },
      audit: { key: null, keyFile: null, anchorFile: null, trustedKeys: [] },
      signalIntervalMs: 300_000,
      relayTickMs: 5_000,
      outOfOrdernessMs: 60_000,
      idleTimeoutMs: 300_000,
      futureToleranceMs: 300_000,
      duplicateFlood: { windowMs: 60_000, duplicates: 75_000, percent: 50 },
      ratingCadence: 86_400_000,
      seller: { name: 'Unnamed seller (set RECKONER_SELLER_NAME)' },
      taxProvider: { kind: 'none' },
      pdfFonts: [],
      paymentTermsDays: 14,
      priceFallbackMaxAgeMs: 3_600_000,
      closeJitterMs: 900_000,
      metrics: null,
      logLevel: 'info',
    });
  });

  test('reads the settings of the local stack', () => {
    const local = {
      ...minimal,
      RECKONER_SIGNAL_INTERVAL: 'PT1S',
      RECKONER_RELAY_TICK: 'PT0.25S',
      RECKONER_RATING_CADENCE: 'every_close',
      RECKONER_METRICS_PORT: '9464',
      RECKONER_SELLER_NAME: 'Seller',
      RECKONER_SELLER_TAX_ID: 'DE1',
    };
    expect(loadConfig(local)).toMatchObject({
      signalIntervalMs: 1_000,
      relayTickMs: 250,
      ratingCadence: 'every_close',
      metrics: { host: '127.0.0.1', port: 9464 },
      seller: { name: 'Seller', tax_id: 'DE1' },
    });
  });

  test('an empty variable counts as not set', () => {
    expect(loadConfig({ ...minimal, RECKONER_HTTP_PORT: '', RECKONER_SELLER_EMAIL: '' })).toEqual(loadConfig(minimal));
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['DATABASE_URL', 'mysql://user:secret@db.example/reckoner'],
    ['TEMPORAL_ADDRESS', 'http://temporal:7233'],
    ['TEMPORAL_ADDRESS', 'temporal'],
    ['RECKONER_HTTP_PORT', '65536'],
    ['RECKONER_HTTP_PORT', '80 80'],
    ['RECKONER_SIGNAL_INTERVAL', '5m'],
    ['RECKONER_SIGNAL_INTERVAL', 'PT0S'],
    ['RECKONER_RELAY_TICK', 'P1M'],
    ['RECKONER_RATING_CADENCE', 'sometimes'],
    ['RECKONER_PAYMENT_TERMS_DAYS', '-1'],
    ['RECKONER_METRICS_HOST', 'localhost'],
    ['LOG_LEVEL', 'loud'],
  ];
  test.each(wrong)('refuses %s=%s, naming the variable', (name, value) => {
    const problems = problemsOf({ ...minimal, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: \\S`));
  });

  test('says everything that is wrong at once, and never the password', () => {
    const problems = problemsOf({ DATABASE_URL: 'redis://user:secret@db.example', LOG_LEVEL: 'loud' });
    expect(problems).toHaveLength(2);
    expect(problems.join()).not.toContain('secret');
    expect(problemsOf({})[0]).toMatch(/^DATABASE_URL: is missing/);
  });
});

test('a misspelt setting is named', () => {
  const env = {
    ...minimal,
    RECKONER_SIGNALINTERVAL: 'PT1S',
    RECKONER_PG_PORT: '1',
    RECKONER_TEST_PG_URL: 'x',
    PATH: '/bin',
  };
  expect(unknownSettings(env)).toEqual(['RECKONER_SIGNALINTERVAL']);
});

describe('.env.example', () => {
  const text = readFileSync('.env.example', 'utf8');
  const example = parseEnv(text.replaceAll(/^#(?=[A-Z_0-9]+=)/gm, '')) as Record<string, string>;
  const copied = parseEnv(text) as Record<string, string>;

  test('lists every setting, and none that nothing reads', () => {
    expect(Object.keys(example).sort()).toEqual([...settingNames, ...settingsOfTools, 'POSTGRES_PASSWORD'].sort());
  });

  test('copied as it is it changes nothing: neither the server, nor what npm start has for a stack of its own', async () => {
    expect(copied).toEqual({ POSTGRES_PASSWORD: '' });
    expect(loadConfig({ ...copied, ...minimal })).toEqual(loadConfig(minimal));
    const given = Object.fromEntries(Object.entries(copied).filter(([, value]) => value !== ''));
    const under = "return (await load('scripts/lib/stack.mjs')).settingsUnder(input)";
    expect(await evaluate(under, given)).toEqual(await evaluate(under, {}));
  });

  test('shows the defaults', () => {
    expect(loadConfig({ ...example, ...minimal })).toEqual(loadConfig(minimal));
  });
});
