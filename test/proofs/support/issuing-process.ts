/**
 * A worker that issues requests in one transaction and dies (-9) right after a step of the first: `node --import tsx
 * issuing-process.ts URL STEP`, the requests as a JSON list on standard input. Without a step it issues, however long that takes.
 */
import { text } from 'node:stream/consumers';
import type { Client } from '@temporalio/client';
import { issueInvoices } from '../../../src/activities/issue-invoice.js';
import { createStorage } from '../../../src/storage/index.js';
import type { InvoicingRequest } from '../../../src/storage/types.js';
import { issuedAt, settings } from './issuing-settings.js';
import { hittingAt } from './issuing-steps.js';
import type { IssuingStep } from './issuing-steps.js';

const [url = '', step = ''] = process.argv.slice(2);
const requests = JSON.parse(await text(process.stdin)) as readonly InvoicingRequest[];
const storage = createStorage(url);
const die = (): Promise<void> => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};
const dying = step === '' ? storage : hittingAt(storage, step as IssuingStep, die);
await issueInvoices({ storage: dying, client: {} as Client, settings, now: () => issuedAt }, requests);
await storage.close();
