/**
 * The pieces that aggregating SQL is made of: parameters, windows, how a property is read, digests. Each says in SQL what
 * src/domain/metering says in TypeScript; a property test holds the two against each other.
 */
import { decimalDigitsMax, decimalPlacesMax } from '../domain/decimal.js';
import { tagPrefix } from '../domain/metering/metadata.js';
import type { MeteringPeriod } from '../domain/metering/window.js';

/** Collects the values of a statement. Everything that comes from outside enters SQL through it, never as text. */
export class SqlParameters {
  private readonly list: unknown[] = [];

  get values(): readonly unknown[] {
    return this.list;
  }

  /** A typed placeholder for the value. */
  add(value: unknown, type: string): string {
    this.list.push(value);
    return `$${this.list.length}::${type}`;
  }
}

/** The start of the window that contains the instant, as src/domain/metering/window.ts cuts it. */
export function windowStartSql(at: string, bounds: WindowBounds): string {
  const parts = [`date_bin('1 hour', ${at}, timestamptz 'epoch')`, bounds.from];
  // width_bucket is 0 before the first cut, and subscript 0 is NULL, which greatest() and least() pass over.
  if (bounds.cuts !== null) parts.push(`(${bounds.cuts})[width_bucket(${at}, ${bounds.cuts})]`);
  return `greatest(${parts.join(', ')})`;
}

/** The end of the window that contains the instant. */
export function windowEndSql(at: string, bounds: WindowBounds): string {
  const parts = [`date_bin('1 hour', ${at}, timestamptz 'epoch') + interval '1 hour'`, bounds.to];
  if (bounds.cuts !== null) parts.push(`(${bounds.cuts})[width_bucket(${at}, ${bounds.cuts}) + 1]`);
  return `least(${parts.join(', ')})`;
}

/** How time is cut into windows: the start of the window that contains `at`, and the end of the one that begins at `start`. */
export interface TimeCuts {
  startOf(at: string): string;
  endOf(start: string): string;
}

/** The smallest windows of a period. */
export function smallWindows(bounds: WindowBounds): TimeCuts {
  return { startOf: (at) => windowStartSql(at, bounds), endOf: (start) => windowEndSql(start, bounds) };
}

/** Windows between consecutive bounds, given as an array. */
export function windowsBetween(bounds: string): TimeCuts {
  return {
    startOf: (at) => `(${bounds})[width_bucket(${at}, ${bounds})]`,
    endOf: (start) => `(${bounds})[width_bucket(${start}, ${bounds}) + 1]`,
  };
}

/** SQL expressions of a period's bounds; `cuts` null where the period has none, which nearly all have not. */
export interface WindowBounds {
  readonly from: string;
  readonly to: string;
  readonly cuts: string | null;
}

export function windowBounds(params: SqlParameters, period: MeteringPeriod): WindowBounds {
  return {
    from: params.add(period.from, 'timestamptz'),
    to: params.add(period.to, 'timestamptz'),
    cuts: period.cuts.length === 0 ? null : params.add(period.cuts, 'timestamptz[]'),
  };
}

/**
 * A property as filters, groups and unique counts see it (readScalar): strings as they are, numbers by value, true and false as
 * words; NULL for what is missing, null or no scalar.
 */
export function scalarTextSql(metadata: string, property: string): string {
  const value = `${metadata} -> ${property}`;
  return `CASE jsonb_typeof(${value})
    WHEN 'string' THEN ${metadata} ->> ${property}
    WHEN 'number' THEN trim_scale((${value})::numeric)::text
    WHEN 'boolean' THEN ${metadata} ->> ${property} END`;
}

/** The text of a jsonb value, as of a property: the value should be a column, because it is used several times. */
function valueTextSql(value: string): string {
  return `CASE jsonb_typeof(${value})
    WHEN 'string' THEN ${value} #>> '{}'
    WHEN 'number' THEN trim_scale((${value})::numeric)::text
    WHEN 'boolean' THEN ${value}::text END`;
}

/** What groups and filters read (readDimension). An object has the tags; of anything else `->` finds no property. */
export function dimensionTextSql(params: SqlParameters, metadata: string, dimension: string): string {
  return dimension.startsWith(tagPrefix)
    ? scalarTextSql(`(${metadata} -> 'tags')`, params.add(dimension.slice(tagPrefix.length), 'text'))
    : scalarTextSql(metadata, params.add(dimension, 'text'));
}

/**
 * Whether filters read as data (a jsonb object of dimension to allowed texts) take the metadata: `dimensionTextSql` where the
 * names of the dimensions are not at hand.
 */
export function filtersTakeSql(filters: string, metadata: string): string {
  const value = `CASE WHEN starts_with(f.key, '${tagPrefix}')
      THEN ${metadata} -> 'tags' -> substr(f.key, ${tagPrefix.length + 1}) ELSE ${metadata} -> f.key END`;
  return `(SELECT bool_and(coalesce(d.allowed ? ${valueTextSql('d.value')}, false))
    FROM (SELECT f.value AS allowed, ${value} AS value FROM jsonb_each(${filters}) AS f OFFSET 0) AS d)`;
}

/** Plain notation without leading zeros and without a negative zero (plainNotation in src/domain/decimal.ts). */
const plainDecimal = String.raw`^(?:-?[1-9][0-9]*(?:\.[0-9]+)?|0(?:\.[0-9]+)?|-0\.[0-9]*[1-9][0-9]*)$`;
/** The same for a text that begins with 1 to 9: the fewer states, the faster. */
const plainFromOne = String.raw`^[0-9]+(?:\.[0-9]+)?$`;
/** A plain decimal of at most so many characters cannot exceed either limit ("0." and all places). */
const surelyShort = decimalPlacesMax + 2;

/**
 * The value that a `sum` meter reads from the text of its property (readValue): a JSON number's text or a string; NULL:
 * missing or not a decimal. The text should be a column: it is used several times.
 *
 * The guard is much of the cost of aggregating, hence two short ways. A text that is what a bigint prints is a plain
 * decimal; the comparison refuses what else a bigint reads (" 7", "007", "+7", "-0", "0x7", "7_000"). The other is for
 * short texts that begin with 1 to 9. 1,000,000 values, in seconds on top of 0.34 without any guard: whole numbers 0.12
 * (by the second way 0.34), "7.25" 0.45; regular expressions under COLLATE "C", under a locale's 2 to 3 × as much.
 */
export function valueSql(text: string): string {
  const bytes = `${text} COLLATE "C"`;
  return `CASE
    WHEN reads_as_bigint(${text}) AND ${text}::bigint::text = ${bytes} THEN ${text}::bigint::numeric
    WHEN ${bytes} >= '1' AND ${bytes} < ':' AND octet_length(${text}) <= ${surelyShort} AND ${bytes} ~ '${plainFromOne}' THEN ${text}::numeric
    WHEN ${bytes} ~ '${plainDecimal}' AND (octet_length(${text}) <= ${surelyShort}
      OR (length(translate(${text}, '-.', '')) <= ${decimalDigitsMax} AND length(split_part(${text}, '.', 2)) <= ${decimalPlacesMax}))
      THEN ${text}::numeric END`;
}

/**
 * How many an event stands for, from the text of its property (countOf in src/domain/metering/reading.ts): one where it does
 * not say; NULL: not a whole number, or a negative one.
 */
export function countSql(text: string): string {
  return `CASE WHEN ${text} IS NULL THEN 1 ELSE (
    SELECT CASE WHEN r.v >= 0 AND r.v = trunc(r.v) THEN r.v END FROM (SELECT ${valueSql(text)} AS v OFFSET 0) AS r) END`;
}

/** Microseconds from one instant to another, exact. */
export function microsSql(from: string, to: string): string {
  return `(extract(epoch FROM (${to} - ${from})) * 1000000)`;
}

/** The quotient of numerics rounded once, half-even (round() breaks ties away from zero). The divisor is above zero. */
export function divideSql(dividend: string, divisor: string, places: number): string {
  const unit = `1${'0'.repeat(places)}`;
  return `(SELECT sign(d.n) * (d.q + CASE WHEN 2 * d.r > d.t OR (2 * d.r = d.t AND mod(d.q, 2) = 1) THEN 1 ELSE 0 END)
      * 0.${'0'.repeat(places - 1)}1
    FROM (SELECT c.*, c.x - c.q * c.t AS r FROM (
      SELECT p.*, div(p.x, p.t) AS q FROM (SELECT (${dividend})::numeric AS n, abs((${dividend})::numeric) * ${unit} AS x,
        (${divisor})::numeric AS t) AS p) AS c) AS d)`;
}

const twoTo64 = '18446744073709551616';
const twoTo32 = '4294967296';

/** A sum of content hashes (or of `digestValueSql`) modulo 2^64 as 16 hex digits. */
export function digestSql(sum: string): string {
  // The remainder of a negative sum is negative: adding the modulus once more brings it into range.
  const rest = `mod(mod(${sum}, ${twoTo64}) + ${twoTo64}, ${twoTo64})`;
  return `lpad(to_hex(div(${rest}, ${twoTo32})::bigint), 8, '0') || lpad(to_hex(mod(${rest}, ${twoTo32})::bigint), 8, '0')`;
}

/** A digest as a signed 64-bit number: congruent modulo 2^64, so sums of it make digests again. */
export function digestValueSql(digest: string): string {
  return `('x' || ${digest})::bit(64)::bigint`;
}

/** A numeric as a DecimalString: no superfluous zeros. */
export function decimalSql(value: string): string {
  return `trim_scale(${value})::text`;
}

/** An instant inside JSON as `Instant`; in result columns the driver's parser does it. */
export function instantSql(at: string): string {
  return `to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** Of the events of a group one by name, always the same one: its id, and its source where it has one. */
export const exampleSql = `min(event_id || CASE source WHEN '' THEN '' ELSE ' of the source "' || source || '"' END)`;
