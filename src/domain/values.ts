/** Values as they travel between modules: branded strings, so that an amount never meets an instant by accident. */

/** A plain decimal: optional minus, digits, optional fraction. Never an exponent, NaN, Infinity or -0. */
export type DecimalString = string & { readonly __decimal: true };

/** An instant in UTC, always `YYYY-MM-DDTHH:mm:ss.ffffffZ`: fixed width, so text order is time order. */
export type Instant = string & { readonly __instant: true };

/** A local calendar day, `YYYY-MM-DD`; a billing period is named by its first one. */
export type LocalDate = string & { readonly __localDate: true };

/** A position in the usage ledger (bigint in Postgres), as decimal digits. */
export type Position = string & { readonly __position: true };

/** 16 hex digits: the sum modulo 2^64 of the content hashes of a set of events. */
export type Digest = string & { readonly __digest: true };

/** What a meter groups by: property name to its text; a property the event does not have is null (RULES 17). */
export type GroupKey = Readonly<Record<string, string | null>>;

export interface Interval {
  /** inclusive */
  readonly from: Instant;
  /** exclusive */
  readonly to: Instant;
}
