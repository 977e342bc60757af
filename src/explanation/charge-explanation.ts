/** What GET /charges/{id} answers, and of an invoice what is needed to explain one of its lines. */
import type { RateShown } from '../documents/exchange.js';
import type { Calculation } from '../domain/rating/rating.js';

export interface ExplainedWindow {
  readonly window_start: string;
  readonly window_end: string;
  readonly revision: number;
  readonly quantity: string;
  readonly event_count: number;
  readonly digest: string;
}

/** A rate as it was applied. */
export type AppliedConversion = RateShown;

/** Where the price is in another currency than the invoice. */
export interface Conversion extends AppliedConversion {
  /** Of the charge in the currency `to`, not rounded. */
  readonly amount: string;
}

/** The level that a period begins with, carried from the periods before it (`weighted_sum`, RULES 3, 70). */
export interface ExplainedOpening {
  /** The period's start. */
  readonly at: string;
  readonly level: string;
  /** Of the events before the period that made it. */
  readonly event_count: number;
  readonly digest: string;
  readonly first: readonly string[];
  readonly href: string;
}

/** What the amount of a charge is recomputed from, in the currency of the price. */
export type PricedCalculation = Omit<Calculation, 'conversion'>;

export interface ExplainedCalculation extends PricedCalculation {
  readonly conversion?: Conversion;
  readonly windows: readonly ExplainedWindow[];
  readonly source_events: {
    readonly count: number;
    readonly stands_for: string | null;
    readonly digest: string;
    readonly first: readonly string[];
    readonly href: string;
  };
  /** null, or missing in what was answered before there was one: the charge is not of a level. */
  readonly opening_level?: ExplainedOpening | null;
  /** null, or missing as above: the charge is not of a level, or the level changed too often to be told here. */
  readonly level_stretches?: readonly { readonly from: string; readonly to: string; readonly level: string }[] | null;
  /** null, or missing as above: no single event decided. */
  readonly decided_by?: {
    readonly event_id: string;
    readonly source: string;
    readonly event_time: string;
    readonly value: string | null;
  } | null;
}

export interface ChargeExplanation {
  readonly charge_id: string;
  readonly revision: number;
  readonly supersedes_charge_id: string | null;
  /** An estimate: no invoice stands on it, and its period goes on. */
  readonly provisional: boolean;
  /** The charges that its line stands on now; this one alone where it is current, none where the line fell away. */
  readonly current_charge_ids: readonly string[];
  /** `fallback`: rated on the last known prices while they could not be read, and not found to be right since. */
  readonly price_lookup: 'current' | 'fallback';
  /** Of a fallback: when its prices were read. */
  readonly prices_as_of: string | null;
  readonly customer_id: string;
  readonly period: string;
  readonly period_from: string;
  readonly period_to: string;
  readonly time_zone: string;
  readonly meter: string | null;
  /** Of the meter; null: a fee. */
  readonly aggregation: string | null;
  readonly group: Readonly<Record<string, string | null>>;
  /** Not rounded. */
  readonly amount: string;
  readonly currency: string;
  readonly cutoff_position: string;
  readonly calculation: ExplainedCalculation;
  readonly invoice_lines: readonly { readonly invoice_id: string; readonly line_item_id: string }[];
}

/** A line of `InvoiceWire`. */
export interface ExplainedLine {
  readonly line_item_id: string;
  readonly line_number: number;
  readonly description: string;
  readonly amount: string;
  readonly charge_ids: readonly string[];
  readonly original_amount?: string;
  readonly corrected_amount?: string;
  readonly reason?: string;
  /** The line's identity in its invoice and the corrections of it. */
  readonly line_key: string;
}

export interface ExplainedInvoice {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: string;
  readonly status: string;
  readonly currency: string;
  readonly issued_at: string;
  readonly customer_id: string;
  readonly corrects_invoice_id: string | null;
  /** Its place among the invoice and the corrections of it. */
  readonly chain_place: number;
  readonly period: { readonly name: string };
  readonly lines: readonly ExplainedLine[];
}
