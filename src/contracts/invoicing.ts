/** Messages of the `invoicing` workflow, one per billing day. */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { LocalDate } from '../domain/values.js';

export interface InvoicingInput {
  readonly billingDay: LocalDate;
  readonly progress?: InvoicingProgress;
}

export interface InvoicingProgress {
  readonly issued: number;
  readonly held: number;
  readonly skipped: number;
  readonly alreadyInvoiced: number;
}

/** A hint that the queue of this billing day has work; the requests themselves are rows. */
export const readySignal = defineSignal<[{ readonly customerId: string; readonly period: LocalDate }]>('ready');
export const invoicingProgressQuery = defineQuery<InvoicingProgress & { readonly billingDay: LocalDate }>('progress');
