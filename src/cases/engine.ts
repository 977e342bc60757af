/** What a billing case may ask of the program, whether it runs in memory or behind the HTTP API. */
import type { GroupKey } from '../domain/values.js';
import type {
  BillingCase,
  CaseAdjustment,
  CaseCreditGrant,
  CaseExchangeRate,
  CaseReRating,
  CaseRolloutStage,
} from './format.js';

/** How a case names its customer; any other name is of another one, whom nothing is asked about. */
export const caseCustomer = 'case';

/** A single event, repetitions and shorthand already written out. */
export interface PlainEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly event_time: string;
  readonly source: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface CaseWindow {
  readonly meter: string;
  readonly start: string;
  readonly end: string;
  readonly group: GroupKey;
  readonly quantity: string;
}

/** A document's figures in the names of the API. */
export interface CaseDocument {
  readonly type: string;
  readonly status: string;
  readonly currency: string;
  readonly subtotal: string;
  readonly credits: string;
  /** Grants by the names that the case has given them. */
  readonly credit_draws?: readonly { readonly grant_id: string; readonly amount: string }[];
  readonly total: string;
  readonly lines: readonly CaseDocumentLine[];
}

export interface CaseDocumentLine {
  /** Of a fee its name. */
  readonly description: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly quantity: string | null;
  readonly amount: string;
  readonly original_amount?: string;
  readonly corrected_amount?: string;
  readonly calculation: { readonly formula: string; readonly charges: readonly CaseCharge[] };
}

export interface CaseCharge {
  readonly price_book_version: string;
  readonly quantity: string;
  readonly formula: string;
  readonly conversion?: { readonly rate: string; readonly rate_date: string; readonly amount: string } | undefined;
}

/** A step was not carried out, or not wholly, for a reason with a code: the API's, or that of the finding that holds an invoice. */
export class StepRefusal extends Error {
  override readonly name = 'StepRefusal';
  constructor(
    readonly code: string,
    readonly detail: string,
  ) {
    super(`${code}: ${detail}`);
  }
}

type Awaitable<T> = T | Promise<T>;

/**
 * One run of one case. Actions throw `StepRefusal` (or a `DomainFailure`) when they are refused; anything else thrown
 * fails the case.
 */
export interface CaseEngine {
  /** Sends the events in one request; refused ones do not keep the others away. */
  sendEvents(events: readonly PlainEvent[]): Awaitable<void>;
  learnPriceBook(version: Readonly<Record<string, unknown>>): Awaitable<void>;
  learnExchangeRates(rates: readonly CaseExchangeRate[]): Awaitable<void>;
  adjustEvent(adjustment: CaseAdjustment): Awaitable<void>;
  closePeriod(period: string): Awaitable<void>;
  reRate(reRating: CaseReRating): Awaitable<void>;
  rollOut(stage: CaseRolloutStage): Awaitable<void>;
  grantCredit(grant: CaseCreditGrant): Awaitable<void>;
  /** By the name that the case has given it. */
  voidCreditGrant(name: string): Awaitable<void>;
  /** The period's invoice with its corrections. */
  voidInvoice(period: string): Awaitable<void>;

  /** Non-empty windows of a meter in its window size, by start and group. */
  windows(period: string, meter: string): Awaitable<readonly CaseWindow[]>;
  /** The period's original invoice; null when there is none. */
  invoice(period: string): Awaitable<CaseDocument | null>;
  /** What the last re-rating made for the period, credit notes included. */
  corrections(period: string): Awaitable<readonly CaseDocument[]>;
}

/** Makes a fresh world with the facts of a case: customer, meters, price books. @throws what a fact is refused for */
export type StartEngine = (billingCase: BillingCase) => Awaitable<CaseEngine>;
