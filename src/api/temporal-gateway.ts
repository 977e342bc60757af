/** What the API asks of Temporal: little, and never on the way of an event. */
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { closeRequestedSignal, type CloseRequested } from '../contracts/billing-period.js';
import { workflowTypes } from '../contracts/names.js';
import type { PeriodCloseInput } from '../contracts/period-close.js';
import { decidedSignal } from '../contracts/re-rating.js';
import {
  billingPeriodStart,
  periodCloseStart,
  priceEvaluationStart,
  reconciliationStart,
  reRatingStart,
} from '../contracts/start-options.js';
import { DomainFailure } from '../domain/failure.js';
import type { LocalDate } from '../domain/values.js';
import { type AnchoredNow, anchorNow } from './temporal-anchor.js';

/** As far as its workflow is concerned. */
export interface StartableReRating {
  readonly reRatingId: string;
  readonly workflowId: string;
  readonly reason: string;
}

/** Every method throws DomainFailure TEMPORAL_UNAVAILABLE when the service cannot be reached in time. */
export interface TemporalGateway {
  /** Starts the workflow of a billing period, unless it runs. */
  startBillingPeriod(customerId: string, period: LocalDate): Promise<void>;
  /** Tells the workflow of a billing period, started if need be, to close. */
  closePeriod(customerId: string, period: LocalDate, request: CloseRequested): Promise<void>;
  /**
   * Starts the workflow of a re-rating, unless it runs.
   * @param about the period, where it is about one: operators search by it
   */
  startReRating(
    reRating: StartableReRating,
    about: { readonly customerId: string; readonly period: LocalDate } | null,
  ): Promise<void>;
  /** Tells the workflow of a re-rating, started if need be, that a decision is stored. */
  signalDecided(...reRating: Parameters<TemporalGateway['startReRating']>): Promise<void>;
  /** Starts a reconciliation on demand, unless it runs. */
  startReconciliation(runId: string): Promise<void>;
  /** Starts an evaluation, unless it runs. */
  startEvaluation(evaluationId: string): Promise<void>;
  /** Starts a close of many periods, unless it runs. */
  startPeriodClose(input: PeriodCloseInput): Promise<void>;
  /** Runs the schedule that anchors the audit log now. @throws DomainFailure what its activity refuses */
  anchorAudit(): Promise<AnchoredNow>;
  health(): Promise<void>;
  close(): Promise<void>;
}

export interface TemporalGatewayOptions {
  /** `host:port` of the frontend service. */
  readonly address: string;
  readonly namespace: string;
  /** Milliseconds a call may take, connecting and repeats included; default 5,000. */
  readonly deadlineMs?: number;
}

/** Whoever asks for health, asks often and waits briefly. */
const healthDeadlineMs = 1_000;
const anchorDeadlineMs = 30_000;

/** Connects on first use, so that the API starts, and takes events, while Temporal is away. */
export function connectTemporal({ address, namespace, deadlineMs = 5_000 }: TemporalGatewayOptions): TemporalGateway {
  const connection = Connection.lazy({ address, connectTimeout: deadlineMs });
  const client = new Client({ connection, namespace });
  const underWay = new Set<Promise<unknown>>();
  const within = async <T>(ms: number, call: () => Promise<T>): Promise<T> => {
    const running = connection.withDeadline(Date.now() + ms, call);
    underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw isAway(error) ? unavailable() : error;
    } finally {
      underWay.delete(running);
      // While a context of calls is on, Node 20 and 22 run a hook on every promise of the process, a quarter of what an event costs.
      if (underWay.size === 0) connection.callContextStorage.disable();
    }
  };
  return {
    startBillingPeriod: async (customerId, period) => {
      await within(deadlineMs, () =>
        client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(customerId, period)),
      );
    },
    closePeriod: async (customerId, period, request) => {
      const start = billingPeriodStart(customerId, period);
      const signal = { signal: closeRequestedSignal, signalArgs: [request] as [CloseRequested] };
      await within(deadlineMs, () =>
        client.workflow.signalWithStart(workflowTypes.billingPeriod, { ...start, ...signal }),
      );
    },
    startReRating: async (reRating, about) => {
      const start = reRatingStart(reRating, about, reRating.reason);
      await within(deadlineMs, () => client.workflow.start(workflowTypes.reRating, start));
    },
    signalDecided: async (reRating, about) => {
      const start = reRatingStart(reRating, about, reRating.reason);
      await within(deadlineMs, () =>
        client.workflow.signalWithStart(workflowTypes.reRating, { ...start, signal: decidedSignal, signalArgs: [] }),
      );
    },
    startReconciliation: async (runId) => {
      await within(deadlineMs, () => client.workflow.start(workflowTypes.reconciliation, reconciliationStart(runId)));
    },
    startEvaluation: async (evaluationId) => {
      const start = priceEvaluationStart(evaluationId);
      await within(deadlineMs, () => client.workflow.start(workflowTypes.priceEvaluation, start));
    },
    startPeriodClose: async (input) => {
      await within(deadlineMs, () => client.workflow.start(workflowTypes.periodClose, periodCloseStart(input)));
    },
    anchorAudit: () => within(anchorDeadlineMs, () => anchorNow(client)),
    health: async () => {
      await within(healthDeadlineMs, () => connection.workflowService.getSystemInfo({}));
    },
    // A call that repeats itself on a closed channel would throw where nobody can catch it.
    close: async () => {
      await Promise.allSettled(underWay);
      await connection.close();
    },
  };
}

/** gRPC status codes that speak of the service's condition: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE. */
const awayCodes = new Set<number>([4, 8, 14]);

function isAway(error: unknown): boolean {
  if (isGrpcServiceError(error)) return awayCodes.has(error.code);
  if (!(error instanceof Error)) return false;
  return /Failed to connect before the deadline/.test(error.message) || isAway(error.cause);
}

function unavailable(): DomainFailure {
  const detail =
    'Temporal cannot be reached, so the request was not carried out. Nothing is lost; send it again later.';
  return new DomainFailure('TEMPORAL_UNAVAILABLE', detail);
}
