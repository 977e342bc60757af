import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { IssueChunkOutput } from '../contracts/activities.js';
import { invoicingProgressQuery, readySignal } from '../contracts/invoicing.js';
import type { InvoicingInput, InvoicingProgress } from '../contracts/invoicing.js';
import { invoiceNumberKey, needsAttentionKey } from '../contracts/search-attributes.js';
import { chunkActivities } from './activity-proxies.js';

/** Customers an activity: a workflow each would cost far more than the arithmetic (LIMITS). */
const chunkSize = 200;
const signalsPerRunMax = 2_000;
const none: InvoicingProgress = { issued: 0, held: 0, skipped: 0, alreadyInvoiced: 0 };

/**
 * Issues the invoices of one billing day: the requests are rows, a signal only says that there are some. Ends when none
 * is pending; the next request of the day starts it again.
 */
export async function invoicing(input: InvoicingInput): Promise<InvoicingProgress> {
  const { billingDay } = input;
  let progress = input.progress ?? none;
  let lastNumber: string | null = null;
  let signals = 0;
  let isMoreReady = true;
  setHandler(
    readySignal,
    () => {
      signals += 1;
      isMoreReady = true;
    },
    { description: 'A billing period is ready: there is a new request of this day' },
  );
  setHandler(invoicingProgressQuery, () => ({ billingDay, ...progress }), {
    description: 'How many were issued, held, skipped',
  });

  while (isMoreReady) {
    isMoreReady = false;
    const chunk = await chunkActivities.issueChunk.executeWithOptions(
      { summary: `Issue up to ${chunkSize} invoices of ${billingDay}` },
      [{ billingDay, limit: chunkSize }],
    );
    if (chunk.held > 0 && progress.held === 0) upsertSearchAttributes([{ key: needsAttentionKey, value: true }]);
    progress = sum(progress, chunk);
    lastNumber = chunk.lastInvoiceNumber ?? lastNumber;
    isMoreReady ||= chunk.more;
    setCurrentDetails(markdownOf(billingDay, progress, lastNumber));
    if (isMoreReady && (workflowInfo().continueAsNewSuggested || signals >= signalsPerRunMax)) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof invoicing>({ billingDay, progress });
    }
  }
  // The last number of the run, so that operators find the run of an invoice; one action a run, not one an invoice.
  if (lastNumber !== null) upsertSearchAttributes([{ key: invoiceNumberKey, value: lastNumber }]);
  return progress;
}

function sum(a: InvoicingProgress, b: IssueChunkOutput): InvoicingProgress {
  return {
    issued: a.issued + b.issued,
    held: a.held + b.held,
    skipped: a.skipped + b.skipped,
    alreadyInvoiced: a.alreadyInvoiced + b.alreadyInvoiced,
  };
}

function markdownOf(billingDay: string, progress: InvoicingProgress, lastNumber: string | null): string {
  return [
    `| Billing day | ${billingDay} |`,
    '| --- | --- |',
    `| Issued | ${progress.issued} |`,
    `| Held (findings say why) | ${progress.held} |`,
    `| Skipped (empty) | ${progress.skipped} |`,
    `| Already invoiced | ${progress.alreadyInvoiced} |`,
    `| Last invoice | ${lastNumber ?? '–'} |`,
  ].join('\n');
}
