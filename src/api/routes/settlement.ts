/** Payments, refunds, and what a customer owes. */
import { z } from 'zod';
import { actingHeaders, answers, identifier, paging } from '../schemas/common.js';
import {
  allocationsBody,
  appliedCredit,
  decisionBody,
  payment,
  paymentBody,
  paymentPage,
  receivable,
  refund,
  refundBody,
  refundPage,
} from '../schemas/settlement.js';
import { requireCustomer } from '../services/customers.js';
import {
  allocateRest,
  applyUnapplied,
  bouncePayment,
  refund as refundMoney,
  requirePayment,
  requireRefund,
  takePayment,
} from '../services/settlement.js';
import type { Api } from '../types.js';
import { toApiApplied, toApiPayment, toApiReceivable, toApiRefund } from '../wire/settlement-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askedOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const params = z.object({ id: identifier });
const ofCustomer = z.object({ customer_id: identifier });
const amountRefusals = ['INVALID_DECIMAL', 'NUMBER_TOO_LONG', 'UNKNOWN_CURRENCY'] as const;
const allocationRefusals = [
  'INVOICE_NOT_FOUND',
  'INVOICE_VOID',
  'CURRENCY_MISMATCH',
  'ALLOCATION_EXCEEDS_PAYMENT',
  'ALLOCATION_EXCEEDS_OPEN',
] as const;

export async function paymentRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  const tags = ['payments'];
  app.post(
    '/payments',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'recordPayment',
        summary: 'Record a payment, and what it settles',
        description:
          'It lowers what the customer owes, whatever of it is allocated. What is not stays with the customer: the next invoice takes it, or POST /customers/{customer_id}/apply-credit does now.',
        headers: actingHeaders,
        body: paymentBody,
        response: answers({
          success: { 201: { description: 'Recorded.', schema: payment } },
          refusals: [
            'UNKNOWN_CUSTOMER',
            ...amountRefusals,
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'PAYMENT_REFERENCE_KNOWN',
            ...allocationRefusals,
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asked = askedOf(request, clock);
      return reply.code(201).send(toApiPayment(await takePayment(storage, request.body, asked)));
    },
  );
  app.post(
    '/payments/:id/allocations',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'allocatePayment',
        summary: 'Say what the rest of a payment settles',
        headers: actingHeaders,
        params,
        body: allocationsBody,
        response: answers({
          success: { 200: { description: 'The payment.', schema: payment } },
          refusals: ['PAYMENT_NOT_FOUND', 'PAYMENT_REVERSED', ...amountRefusals, ...allocationRefusals],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asked = askedOf(request, clock);
      const { allocations } = request.body;
      return toApiPayment(await allocateRest(storage, request.params.id, { ...asked, allocations }));
    },
  );
  app.post(
    '/payments/:id/reverse',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'reversePayment',
        summary: 'A payment has bounced: what it settled is open again',
        headers: actingHeaders,
        params,
        body: decisionBody,
        response: answers({
          success: { 200: { description: 'The payment, reversed.', schema: payment } },
          refusals: ['PAYMENT_NOT_FOUND', 'PAYMENT_REVERSED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asked = askedOf(request, clock);
      const { reason } = request.body;
      return toApiPayment(await bouncePayment(storage, request.params.id, { ...asked, reason }));
    },
  );
}

export async function paymentReadRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  const tags = ['payments'];
  app.get(
    '/payments',
    {
      schema: {
        tags,
        operationId: 'listPayments',
        summary: 'Payments, the newest first',
        querystring: z.strictObject({ customer_id: identifier.optional(), ...paging }),
        response: answers({
          success: { 200: { description: 'Payments.', schema: paymentPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.query;
      const filter = customerId === undefined ? {} : { customerId };
      return toApiPage(await storage.settlement.listPayments(filter, pageRequest(request.query)), toApiPayment);
    },
  );
  app.get(
    '/payments/:id',
    {
      schema: {
        tags,
        operationId: 'getPayment',
        summary: 'A payment and what it settles',
        params,
        response: answers({
          success: { 200: { description: 'The payment.', schema: payment } },
          refusals: ['PAYMENT_NOT_FOUND'],
        }),
      },
    },
    async (request) => toApiPayment(await requirePayment(storage, request.params.id)),
  );
}

export async function refundRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  const tags = ['payments'];
  app.post(
    '/refunds',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'refundCredit',
        summary: 'Pay credit that settles nothing back to the customer',
        headers: actingHeaders,
        body: refundBody,
        response: answers({
          success: { 201: { description: 'Refunded.', schema: refund } },
          refusals: ['UNKNOWN_CUSTOMER', ...amountRefusals, 'REFUND_EXCEEDS_CREDIT'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asked = askedOf(request, clock);
      return reply.code(201).send(toApiRefund(await refundMoney(storage, request.body, asked)));
    },
  );
  app.get(
    '/refunds',
    {
      schema: {
        tags,
        operationId: 'listRefunds',
        summary: 'Refunds, the newest first',
        querystring: z.strictObject({ customer_id: identifier.optional(), ...paging }),
        response: answers({
          success: { 200: { description: 'Refunds.', schema: refundPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.query;
      const filter = customerId === undefined ? {} : { customerId };
      return toApiPage(await storage.settlement.listRefunds(filter, pageRequest(request.query)), toApiRefund);
    },
  );
  app.get(
    '/refunds/:id',
    {
      schema: {
        tags,
        operationId: 'getRefund',
        summary: 'A refund',
        params,
        response: answers({
          success: { 200: { description: 'The refund.', schema: refund } },
          refusals: ['REFUND_NOT_FOUND'],
        }),
      },
    },
    async (request) => toApiRefund(await requireRefund(storage, request.params.id)),
  );
}

export async function receivableRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  const tags = ['payments'];
  app.get(
    '/customers/:customer_id/receivable',
    {
      schema: {
        tags,
        operationId: 'getReceivable',
        summary: 'What a customer owes, and what of its credit settles nothing yet',
        params: ofCustomer,
        response: answers({
          success: { 200: { description: 'As it is now.', schema: receivable } },
          refusals: ['UNKNOWN_CUSTOMER'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.params;
      await requireCustomer(storage, customerId);
      return toApiReceivable(customerId, await storage.settlement.items(customerId));
    },
  );
  app.post(
    '/customers/:customer_id/apply-credit',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'applyCredit',
        summary: 'Settle the oldest open invoices with credit that settles nothing yet',
        description: 'Issuing an invoice does it by itself.',
        headers: actingHeaders,
        params: ofCustomer,
        response: answers({
          success: { 200: { description: 'What was settled now.', schema: appliedCredit } },
          refusals: ['UNKNOWN_CUSTOMER'],
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asked = askedOf(request, clock);
      return toApiApplied(await applyUnapplied(storage, request.params.customer_id, asked));
    },
  );
}
