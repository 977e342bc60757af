import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { anchorAudit } from '../../../src/activities/anchor-audit.js';
import { createActivities } from '../../../src/activities/index.js';
import type { Activities, ActivityDependencies } from '../../../src/activities/index.js';
import { issueInvoice } from '../../../src/activities/issue-invoice.js';
import type { AnchoredNow } from '../../../src/api/temporal-anchor.js';
import type { StartableReRating, TemporalGateway } from '../../../src/api/temporal-gateway.js';
import type { CloseRequested } from '../../../src/contracts/billing-period.js';
import type { PeriodCloseInput } from '../../../src/contracts/period-close.js';
import type { DraftParties } from '../../../src/api/services/drafts.js';
import { DomainFailure } from '../../../src/domain/failure.js';
import { noTaxProvider } from '../../../src/domain/tax/tax.js';
import type { TaxProvider } from '../../../src/domain/tax/tax.js';
import { msToInstant } from '../../../src/domain/time/instant.js';
import type { LocalDate } from '../../../src/domain/values.js';
import type { Storage } from '../../../src/storage/types.js';

type About = { readonly customerId: string; readonly period: LocalDate } | null;

/**
 * Temporal as the API sees it: remembers what it was told and, when it is there, does at once what the workflows do, by the
 * real activities.
 */
export class FakeTemporal implements TemporalGateway {
  readonly started: string[] = [];
  readonly closed: { readonly customerId: string; readonly period: LocalDate; readonly request: CloseRequested }[] = [];
  readonly reRatings: { readonly workflowId: string; readonly about: About; readonly signal: boolean }[] = [];
  readonly reconciliations: string[] = [];
  readonly evaluations: string[] = [];
  readonly periodCloses: string[] = [];
  away = false;
  /** What happens on a close; the default issues through the real gate. */
  onClose: (customerId: string, period: LocalDate, request: CloseRequested) => Promise<void>;
  /** What happens when a re-rating is started or told of a decision. */
  onReRating: (reRatingId: string) => Promise<void>;
  /** What happens when an evaluation is started. */
  onEvaluation: (evaluationId: string) => Promise<void>;
  /** What happens when a close of many periods is started. */
  onPeriodClose: (input: PeriodCloseInput) => Promise<void>;
  private readonly dependencies: ActivityDependencies;
  private readonly activities: Activities;

  /** Who says which tax a document bears, at the gate and on drafts; a test may set it. */
  taxProvider: TaxProvider = noTaxProvider;
  /** What the API shows drafts with: as the worker issues them. */
  readonly parties: DraftParties;
  /** Of the worker's settings; a test may set bounds. */
  readonly settings: { -readonly [K in keyof ActivityDependencies['settings']]: ActivityDependencies['settings'][K] };

  constructor(
    private readonly storage: Storage,
    clock: () => number,
  ) {
    const settings = {
      outOfOrdernessMs: 0,
      idleTimeoutMs: 0,
      signalIntervalMs: 0,
      relayTickMs: 0,
      ratingCadence: 0,
      seller: { name: 'Seller Ltd.' },
      paymentTermsDays: 14,
      priceFallbackMaxAgeMs: 3_600_000,
      closeJitterMs: 0,
    };
    const workflow = { start: () => Promise.resolve(), signalWithStart: () => Promise.resolve() };
    this.settings = settings;
    const tax: TaxProvider = { ...noTaxProvider, quote: (question) => this.taxProvider.quote(question) };
    this.parties = { seller: settings.seller, paymentTermsDays: settings.paymentTermsDays, tax };
    const client = { workflow } as unknown as Client;
    this.dependencies = { storage, client, settings, now: () => msToInstant(clock()), tax };
    this.activities = createActivities(this.dependencies);
    this.onClose = (customerId, period, request) => this.issue(customerId, period, request);
    this.onReRating = (reRatingId) => this.reRate(reRatingId);
    this.onPeriodClose = async (input) => {
      await this.run(this.activities.planPeriodClose, input);
      while ((await this.run(this.activities.handOverPeriods, { ...input, limit: 100 })).more);
      while ((await this.run(this.activities.issueChunk, { billingDay: input.billingDay, limit: 100 })).more);
    };
    this.onEvaluation = async (evaluationId) => {
      while ((await this.run(this.activities.evaluateChunk, { evaluationId, limit: 100 })).more);
      await this.run(this.activities.finishEvaluation, { evaluationId });
    };
  }

  async startBillingPeriod(customerId: string, period: LocalDate): Promise<void> {
    await this.reach();
    this.started.push(`${customerId} ${period}`);
  }

  async closePeriod(customerId: string, period: LocalDate, request: CloseRequested): Promise<void> {
    await this.reach();
    this.closed.push({ customerId, period, request });
    await this.onClose(customerId, period, request);
  }

  async startReRating({ reRatingId, workflowId }: StartableReRating, about: About): Promise<void> {
    await this.reach();
    this.reRatings.push({ workflowId, about, signal: false });
    await this.onReRating(reRatingId);
  }

  async signalDecided({ reRatingId, workflowId }: StartableReRating, about: About): Promise<void> {
    await this.reach();
    this.reRatings.push({ workflowId, about, signal: true });
    await this.onReRating(reRatingId);
  }

  async startReconciliation(runId: string): Promise<void> {
    await this.reach();
    this.reconciliations.push(runId);
    while ((await this.run(this.activities.reconcileChunk, { runId, limit: 100 })).more);
    await this.run(this.activities.finishReconciliation, { runId });
  }

  async startEvaluation(evaluationId: string): Promise<void> {
    await this.reach();
    this.evaluations.push(evaluationId);
    await this.onEvaluation(evaluationId);
  }

  async startPeriodClose(input: PeriodCloseInput): Promise<void> {
    await this.reach();
    this.periodCloses.push(input.closeId);
    await this.onPeriodClose(input);
  }

  async anchorAudit(): Promise<AnchoredNow> {
    await this.reach();
    const output = await this.run(anchorAudit(this.dependencies), null);
    return { workflowId: 'audit-anchor/run', output };
  }

  async health(): Promise<void> {
    await this.reach();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private reach(): Promise<void> {
    return this.away
      ? Promise.reject(new DomainFailure('TEMPORAL_UNAVAILABLE', 'Temporal is away.'))
      : Promise.resolve();
  }

  private async issue(
    customerId: string,
    period: LocalDate,
    { requestId, forced, reason }: CloseRequested,
  ): Promise<void> {
    const request = { requestId, customerId, period, billingDay: period, forced, reason };
    await this.storage.periods.requestInvoicing(request);
    await issueInvoice(this.dependencies, request);
  }

  /** The course of the reRating workflow. */
  private async reRate(reRatingId: string): Promise<void> {
    const { compareReRating, readDecision, correctReRating, reconcileReRating, endReRating } = this.activities;
    for (let moved = 1; moved > 0;) {
      const attempt = await this.attemptOf(reRatingId);
      const { next } = await this.run(compareReRating, { reRatingId, attempt, limit: 1_000 });
      if (next === 'ended') return;
      if (next === 'awaiting_approval') {
        const decision = await this.run(readDecision, { reRatingId, attempt });
        if (decision === null) return;
        if (decision === 'rejected') {
          await this.run(endReRating, { reRatingId, attempt, rejected: true });
          return;
        }
      }
      ({ moved } = await this.run(correctReRating, { reRatingId, attempt, limit: 1_000 }));
    }
    const attempt = await this.attemptOf(reRatingId);
    await this.run(reconcileReRating, { reRatingId, attempt });
    await this.run(endReRating, { reRatingId, attempt, rejected: false });
  }

  private async attemptOf(reRatingId: string): Promise<number> {
    return (await this.storage.reRatings.find(reRatingId))?.attempt ?? 1;
  }

  private run<Input, Output>(activity: (input: Input) => Promise<Output>, input: Input): Promise<Output> {
    return new MockActivityEnvironment().run(activity, input);
  }
}
