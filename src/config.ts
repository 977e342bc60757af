/**
 * The program's settings: environment variables, checked once at start-up. Nothing else in `src/` reads `process.env`.
 * `.env.example` lists every variable with its default; a test keeps the two in step.
 */
import { z } from 'zod';
import { DomainFailure } from './domain/failure.js';
import type { SafetyBounds } from './domain/invoicing/safety-bounds.js';
import type { Party } from './domain/invoicing/invoice.js';
import { parseDuration } from './domain/time/duration.js';

export interface Config {
  /** `postgresql://user:password@host:port/database`; its query parameters (`sslmode`, …) hold. */
  readonly databaseUrl: string;
  readonly temporal: {
    /** `host:port` of the frontend service. */
    readonly address: string;
    readonly namespace: string;
  };
  readonly http: {
    readonly host: string;
    /** 0: a free one, chosen by the operating system. */
    readonly port: number;
  };
  /** The relay signals a customer and period at most once in this time (ms). */
  readonly signalIntervalMs: number;
  /** The relay looks for new facts this often (ms). */
  readonly relayTickMs: number;
  /** The watermark stays this far behind the highest event time (ms). */
  readonly outOfOrdernessMs: number;
  /** Without events the watermark follows the clock at this distance (ms). */
  readonly idleTimeoutMs: number;
  /** An event further ahead of the clock than this (ms) is refused. */
  readonly futureToleranceMs: number;
  /** From which rate of duplicates on a producer of events is throttled. */
  readonly duplicateFlood: {
    readonly windowMs: number;
    /** In a window, of one customer and source; 0: never. */
    readonly duplicates: number;
    /** Of the producer's events in the window. */
    readonly percent: number;
  };
  /** How often provisional charges are stored (ms), or with every close of windows. */
  readonly ratingCadence: number | 'every_close';
  /** While prices cannot be read, estimates and provisional charges take those known this long ago (ms) at most; 0: none. */
  readonly priceFallbackMaxAgeMs: number;
  /** The ends of periods are spread over this long (ms), customer by customer, so that not all are invoiced at midnight. */
  readonly closeJitterMs: number;
  /** Printed on every invoice, as a snapshot taken at issue. */
  readonly seller: Party;
  /** Who says which tax a document bears; `table`: the file at `tableFile`. */
  readonly taxProvider: { readonly kind: 'none' } | { readonly kind: 'table'; readonly tableFile: string };
  /** Font files for scripts that the packaged font lacks, tried in order. */
  readonly pdfFonts: readonly string[];
  /** Days from issue to due date. */
  readonly paymentTermsDays: number;
  /** Beyond these an invoice is held for a person. */
  readonly bounds: SafetyBounds;
  /** Where the worker serves Prometheus metrics; null (the port is 0): nowhere. `host` is an address, no name. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly logLevel: LogLevel;
  readonly audit: AuditSettings;
}

export interface AuditSettings {
  /** The private key that signs heads of the audit log, PEM; null: in `keyFile`, or nothing is signed. */
  readonly key: string | null;
  readonly keyFile: string | null;
  /** Where signed heads are written outside the database; null: nowhere. */
  readonly anchorFile: string | null;
  /** Ids of the keys that may have signed; none: every key that the log knows. */
  readonly trustedKeys: readonly string[];
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The environment does not make a configuration. `problems` has a sentence for each variable at fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** Variables that belong to the local stack, the command line and the tests, not to the server. */
export const settingsOfTools: readonly string[] = [
  'RECKONER_ACTOR',
  'RECKONER_DATA_DIR',
  'RECKONER_FILES',
  'RECKONER_PG_PORT',
  'RECKONER_TEMPORAL_PORT',
  'RECKONER_TEMPORAL_UI_PORT',
  'RECKONER_URL',
];
const toolPrefixes = ['RECKONER_TEST_', 'RECKONER_BENCH_'];

function parseDurationSetting(text: string, context: { addIssue(message: string): void }): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof DomainFailure)) throw error;
    context.addIssue(error.detail);
    return z.NEVER;
  }
}

const duration = (byDefault: string): z.ZodType<number> =>
  z.string().default(byDefault).transform(parseDurationSetting);

const positiveDuration = (byDefault: string): z.ZodType<number> =>
  duration(byDefault).refine((ms) => ms > 0, 'must be longer than zero');

function parseInteger(text: string, bounds: { readonly from: number; readonly to: number }): number | null {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= bounds.from && value <= bounds.to ? value : null;
}

const integer = (byDefault: string, bounds: { readonly from: number; readonly to: number }): z.ZodType<number> =>
  z
    .string()
    .default(byDefault)
    .transform((text, context) => {
      const value = parseInteger(text, bounds);
      if (value === null)
        context.addIssue(`expected a whole number from ${bounds.from} to ${bounds.to}, got "${text}"`);
      return value ?? z.NEVER;
    });

const port = { from: 0, to: 65_535 } as const;

/** Says nothing of the value: it carries a password. */
function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);
}

const environment = z.object({
  DATABASE_URL: z
    .string({ error: 'is missing; expected postgresql://user:password@host:port/database' })
    .refine(isPostgresUrl, 'expected postgresql://user:password@host:port/database'),
  TEMPORAL_ADDRESS: z
    .string()
    .default('127.0.0.1:7233')
    .refine((text) => /^[^\s/]+:\d{1,5}$/.test(text), 'expected host:port, such as 127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  RECKONER_HTTP_HOST: z.string().default('127.0.0.1'),
  RECKONER_HTTP_PORT: integer('8080', port),
  RECKONER_SIGNAL_INTERVAL: positiveDuration('PT5M'),
  RECKONER_RELAY_TICK: positiveDuration('PT5S'),
  RECKONER_OUT_OF_ORDERNESS: duration('PT1M'),
  RECKONER_IDLE_TIMEOUT: duration('PT5M'),
  RECKONER_FUTURE_TOLERANCE: duration('PT5M'),
  RECKONER_DUPLICATE_FLOOD_WINDOW: positiveDuration('PT1M'),
  RECKONER_DUPLICATE_FLOOD_DUPLICATES: integer('75000', { from: 0, to: 999_999_999 }),
  RECKONER_DUPLICATE_FLOOD_PERCENT: integer('50', { from: 1, to: 100 }),
  RECKONER_RATING_CADENCE: z
    .string()
    .default('P1D')
    .transform((text, context): number | 'every_close' =>
      text === 'every_close' ? text : parseDurationSetting(text, context),
    ),
  RECKONER_PRICE_FALLBACK_MAX_AGE: duration('PT1H'),
  RECKONER_CLOSE_JITTER: duration('PT15M'),
  RECKONER_SELLER_NAME: z.string().default('Unnamed seller (set RECKONER_SELLER_NAME)'),
  RECKONER_SELLER_ADDRESS: z.string().optional(),
  RECKONER_SELLER_TAX_ID: z.string().optional(),
  RECKONER_SELLER_EMAIL: z.string().optional(),
  RECKONER_SELLER_STREET: z.string().optional(),
  RECKONER_SELLER_CITY: z.string().optional(),
  RECKONER_SELLER_POSTAL_CODE: z.string().optional(),
  RECKONER_SELLER_REGION: z.string().optional(),
  RECKONER_SELLER_COUNTRY: z
    .string()
    .regex(/^[A-Z]{2}$/, 'expected two capital letters (ISO 3166-1), such as DE')
    .optional(),
  RECKONER_SELLER_VAT_ID: z.string().optional(),
  RECKONER_SELLER_IBAN: z.string().optional(),
  RECKONER_TAX_PROVIDER: z.enum(['none', 'table'], { error: 'expected none or table' }).default('none'),
  RECKONER_TAX_TABLE: z.string().optional(),
  RECKONER_PDF_FONTS: z.string().optional(),
  RECKONER_PAYMENT_TERMS_DAYS: integer('14', { from: 0, to: 365 }),
  RECKONER_HOLD_LINES: integer('10000', { from: 0, to: 999_999_999 }),
  RECKONER_HOLD_NEGATIVE_TOTAL: z.enum(['true', 'false'], { error: 'expected true or false' }).default('false'),
  RECKONER_HOLD_JUMP_FACTOR: integer('10', { from: 0, to: 1_000_000 }),
  RECKONER_HOLD_ZERO_AFTER_NONZERO: z.enum(['true', 'false'], { error: 'expected true or false' }).default('true'),
  RECKONER_HOLD_TRAILING_PERIODS: integer('3', { from: 0, to: 24 }),
  RECKONER_METRICS_HOST: z
    .string()
    .default('127.0.0.1')
    .refine(
      (text) => z.union([z.ipv4(), z.ipv6()]).safeParse(text).success,
      'expected an IP address to bind to, such as 127.0.0.1 or 0.0.0.0',
    ),
  RECKONER_METRICS_PORT: integer('0', port),
  RECKONER_AUDIT_KEY: z.string().optional(),
  RECKONER_AUDIT_KEY_FILE: z.string().optional(),
  RECKONER_AUDIT_ANCHOR_FILE: z.string().optional(),
  RECKONER_AUDIT_TRUSTED_KEYS: z
    .string()
    .regex(/^[0-9a-f]{16}(,[0-9a-f]{16})*$/, 'expected ids of keys, 16 hex digits each, separated by commas')
    .optional(),
  LOG_LEVEL: z.enum(logLevels, { error: `expected one of ${logLevels.join(', ')}` }).default('info'),
});

/** Every variable that the server reads. */
export const settingNames: readonly string[] = Object.keys(environment.shape);

/**
 * Reads the settings. A variable that is set to the empty text counts as not set, as compose files write it.
 * @throws ConfigError naming every variable that is missing or wrong.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  }
  const values = parsed.data;
  return {
    databaseUrl: values.DATABASE_URL,
    temporal: { address: values.TEMPORAL_ADDRESS, namespace: values.TEMPORAL_NAMESPACE },
    http: { host: values.RECKONER_HTTP_HOST, port: values.RECKONER_HTTP_PORT },
    signalIntervalMs: values.RECKONER_SIGNAL_INTERVAL,
    relayTickMs: values.RECKONER_RELAY_TICK,
    outOfOrdernessMs: values.RECKONER_OUT_OF_ORDERNESS,
    idleTimeoutMs: values.RECKONER_IDLE_TIMEOUT,
    futureToleranceMs: values.RECKONER_FUTURE_TOLERANCE,
    duplicateFlood: {
      windowMs: values.RECKONER_DUPLICATE_FLOOD_WINDOW,
      duplicates: values.RECKONER_DUPLICATE_FLOOD_DUPLICATES,
      percent: values.RECKONER_DUPLICATE_FLOOD_PERCENT,
    },
    ratingCadence: values.RECKONER_RATING_CADENCE,
    priceFallbackMaxAgeMs: values.RECKONER_PRICE_FALLBACK_MAX_AGE,
    closeJitterMs: values.RECKONER_CLOSE_JITTER,
    seller: {
      name: values.RECKONER_SELLER_NAME,
      ...(values.RECKONER_SELLER_ADDRESS !== undefined && { address: values.RECKONER_SELLER_ADDRESS }),
      ...(values.RECKONER_SELLER_TAX_ID !== undefined && { tax_id: values.RECKONER_SELLER_TAX_ID }),
      ...(values.RECKONER_SELLER_EMAIL !== undefined && { email: values.RECKONER_SELLER_EMAIL }),
      ...(values.RECKONER_SELLER_STREET !== undefined && { street: values.RECKONER_SELLER_STREET }),
      ...(values.RECKONER_SELLER_CITY !== undefined && { city: values.RECKONER_SELLER_CITY }),
      ...(values.RECKONER_SELLER_POSTAL_CODE !== undefined && { postal_code: values.RECKONER_SELLER_POSTAL_CODE }),
      ...(values.RECKONER_SELLER_REGION !== undefined && { region: values.RECKONER_SELLER_REGION }),
      ...(values.RECKONER_SELLER_COUNTRY !== undefined && { country_code: values.RECKONER_SELLER_COUNTRY }),
      ...(values.RECKONER_SELLER_VAT_ID !== undefined && { vat_id: values.RECKONER_SELLER_VAT_ID }),
      ...(values.RECKONER_SELLER_IBAN !== undefined && { iban: values.RECKONER_SELLER_IBAN }),
    },
    taxProvider: taxProviderOf(values),
    pdfFonts: (values.RECKONER_PDF_FONTS ?? '').split(':').filter((path) => path !== ''),
    paymentTermsDays: values.RECKONER_PAYMENT_TERMS_DAYS,
    bounds: {
      linesMax: values.RECKONER_HOLD_LINES,
      holdNegative: values.RECKONER_HOLD_NEGATIVE_TOTAL === 'true',
      jumpFactor: values.RECKONER_HOLD_JUMP_FACTOR,
      holdZero: values.RECKONER_HOLD_ZERO_AFTER_NONZERO === 'true',
      trailing: values.RECKONER_HOLD_TRAILING_PERIODS,
    },
    metrics:
      values.RECKONER_METRICS_PORT === 0
        ? null
        : { host: values.RECKONER_METRICS_HOST, port: values.RECKONER_METRICS_PORT },
    logLevel: values.LOG_LEVEL,
    audit: {
      // A line of an env file cannot hold a line break.
      key: values.RECKONER_AUDIT_KEY?.replaceAll('\\n', '\n') ?? null,
      keyFile: values.RECKONER_AUDIT_KEY_FILE ?? null,
      anchorFile: values.RECKONER_AUDIT_ANCHOR_FILE ?? null,
      trustedKeys: values.RECKONER_AUDIT_TRUSTED_KEYS?.split(',') ?? [],
    },
  };
}

function taxProviderOf({
  RECKONER_TAX_PROVIDER: kind,
  RECKONER_TAX_TABLE: tableFile,
}: z.output<typeof environment>): Config['taxProvider'] {
  if (kind === 'none') return { kind };
  if (tableFile !== undefined) return { kind, tableFile };
  throw new ConfigError(['RECKONER_TAX_TABLE: is missing; RECKONER_TAX_PROVIDER=table needs the file with the rates']);
}

/** `RECKONER_…` variables that nothing reads: a misspelt setting is said, never silently without effect. */
export function unknownSettings(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = new Set([...settingNames, ...settingsOfTools]);
  return Object.keys(env)
    .filter((name) => name.startsWith('RECKONER_') && !known.has(name))
    .filter((name) => !toolPrefixes.some((prefix) => name.startsWith(prefix)))
    .sort();
}
