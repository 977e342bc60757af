/**
 * A worker that issues one request and dies (-9) right after a step: `node --import tsx issuing-process.ts URL STEP`, the request as
 * JSON on standard input. Without a step it issues, however long that takes.
 */
import { text } from 'node:stream/consumers';
import type { Client } from '@temporalio/client';
import { issueInvoice } from '../../../src/activities/issue-invoice.js';
import { createStorage } from '../../../src/storage/index.js';
import type { InvoicingRequest } from '../../../src/storage/types.js';
import { issuedAt, settings } from './issuing-settings.js';
import { hittingAt } from './issuing-steps.js';
import type { IssuingStep } from './issuing-steps.js';

const [url = '', step = ''] = process.argv.slice(2);
const request = JSON.parse(await text(process.stdin)) as InvoicingRequest;
const storage = createStorage(url);
const die = (): Promise<void> => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};
const dying = step === '' ? storage : hittingAt(storage, step as IssuingStep, die);
await issueInvoice({ storage: dying, client: {} as Client, settings, now: () => issuedAt }, request);
await storage.close();
