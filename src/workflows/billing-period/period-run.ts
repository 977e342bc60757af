import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { CloseWindowsInput, PeriodReading } from '../../contracts/activities.js';
import type {
  BillingPeriodInput,
  BillingPeriodStageName,
  BillingPeriodState,
  BillingPeriodView,
  CloseRequested,
  UsageRecorded,
} from '../../contracts/billing-period.js';
import { billingStageKey, invoiceNumberKey, needsAttentionKey } from '../../contracts/search-attributes.js';
import { invariant } from '../../domain/failure.js';
import { instantToMs, msPerDay, msToInstant, utcDay } from '../../domain/time/instant.js';
import { closingActivities, periodActivities } from '../activity-proxies.js';
import {
  applyRange,
  asFoundPast,
  freshState,
  mergeLedgerWindows,
  toClose,
  withCloseRequest,
  withoutClosed,
} from './accumulation.js';
import { dueWindows } from './deadlines.js';
import { markdownOf, viewOf } from './details.js';
import { SingleTimer } from './single-timer.js';

export type Message =
  | { readonly kind: 'usage'; readonly range: UsageRecorded }
  | { readonly kind: 'close'; readonly request: CloseRequested };

/** The server stops a run at 10,000 signals, and its suggestion to continue as new does not count them (STYLE 5.1). */
const signalsPerRunMax = 2_000;

/** The relay tells when a backfill is closed or reverted; this is for whatever nobody thought of. */
const heldLookMs = msPerDay;

/**
 * One run of `billingPeriod`: its state, its inbox, its timer, and the steps it can take. The workflow function decides
 * which step comes next.
 */
export class PeriodRun {
  state: BillingPeriodState;
  /** Handlers only put messages here: whatever an activity sees as applied was applied before it started. */
  private readonly inbox: Message[] = [];
  private signalsInRun = 0;
  private lastReading: PeriodReading | null = null;
  private readAtMs = 0;
  private wakeUpMs: number | null = null;
  private readonly timer = new SingleTimer();

  constructor(private readonly input: BillingPeriodInput) {
    this.state = input.state ?? freshState;
  }

  receive(message: Message): void {
    this.signalsInRun += 1;
    this.inbox.push(message);
  }

  get isInboxEmpty(): boolean {
    return this.inbox.length === 0;
  }

  get hasOpenWindows(): boolean {
    return this.state.openWindows.length > 0 || this.state.manyWindows !== null;
  }

  get reading(): PeriodReading {
    invariant(this.lastReading !== null, 'a run begins by reading');
    return this.lastReading;
  }

  /** Workflow time (ms) at which a held period is looked at again, if its backfill's end has not been told by then; null: not held. */
  get lookAgainMs(): number | null {
    return this.reading.held === true ? this.readAtMs + heldLookMs : null;
  }

  /**
   * Reads the truth from Postgres. Messages that were here before the reading are part of it; those that come meanwhile
   * stay in the inbox.
   */
  async read(): Promise<PeriodReading> {
    const told = this.inbox.splice(0);
    const { customerId, period } = this.input;
    const isFirstLook = this.lastReading === null && this.input.state === undefined;
    const reading = await periodActivities.readPeriod.executeWithOptions(
      { summary: 'Read the period from the ledger' },
      [{ customerId, period, nowMs: Date.now() }],
    );
    this.lastReading = reading;
    this.readAtMs = Date.now();
    // A period that is past when its workflow first looks waits its invoice delay from now: its import may be on its way.
    if (isFirstLook) this.state = asFoundPast(this.state, { to: reading.to, nowMs: Date.now() });
    this.apply(told);
    this.state = mergeLedgerWindows(this.state, reading, { settings: reading.settings, nowMs: Date.now() });
    this.show();
    return reading;
  }

  /** Returns whether there was anything. */
  applyInbox(): boolean {
    const messages = this.inbox.splice(0);
    this.apply(messages);
    return messages.length > 0;
  }

  private apply(messages: readonly Message[]): void {
    const { settings } = this.reading;
    const nowMs = Date.now();
    for (const message of messages) {
      this.state =
        message.kind === 'usage'
          ? applyRange(this.state, message.range, { settings, nowMs })
          : withCloseRequest(this.state, message.request);
    }
  }

  /** One activity for everything that is due. */
  async closeWindows(scope: CloseWindowsInput['scope']): Promise<void> {
    const { customerId, period } = this.input;
    const { settings } = this.reading;
    const nowMs = Date.now();
    const { lastRatedMs, openWindows, appliedThrough: accumulatedThrough } = this.state;
    const chosen = { listed: dueWindows(this.state, { settings, nowMs }), due: [], all: openWindows }[scope];
    const windows = chosen.map(toClose);
    // Before a hand-over the gate rates anyway.
    const rate = scope !== 'all' && (lastRatedMs === null || nowMs - lastRatedMs >= settings.ratingCadenceMs);
    const summary = scope === 'listed' ? `Close ${windows.length} window(s)` : `Close windows: ${scope}`;
    const closed = await closingActivities.closeWindows.executeWithOptions({ summary }, [
      { customerId, period, nowMs, scope, windows, accumulatedThrough, rate },
    ]);
    this.state = {
      ...withoutClosed(this.state, windows),
      ...(scope === 'all' && { manyWindows: null }),
      closedWindows: this.state.closedWindows + closed.closed,
      lastRatedMs: rate ? nowMs : lastRatedMs,
    };
    if (closed.remaining !== null) {
      const found = { windows: closed.remaining, highestEventTime: null };
      this.state = mergeLedgerWindows(this.state, found, { settings, nowMs: Date.now() });
    }
    if (closed.differences > 0) this.needAttention();
    this.show();
  }

  /** Puts the request where the invoicing workflow of the day finds it. False: the period is invoiced already, or held. */
  async requestInvoicing(): Promise<boolean> {
    const { customerId, period } = this.input;
    const { closeRequest } = this.state;
    const nowMs = Date.now();
    const { alreadyInvoiced, held = false } = await periodActivities.requestInvoicing.executeWithOptions(
      { summary: 'Hand over to invoicing' },
      [
        {
          customerId,
          period,
          requestId: uuid4(),
          billingDay: utcDay(msToInstant(nowMs)),
          forced: closeRequest?.forced === true && nowMs < instantToMs(this.reading.to),
          reason: closeRequest?.reason ?? null,
          nowMs,
          onDemand: closeRequest !== null,
        },
      ],
    );
    if (held) return false;
    // Whatever comes from here on meets the truth of a new reading, not what this state remembers.
    // What operators see of the work done stays.
    const { stage, needsAttention, closedWindows, events, usage } = this.state;
    this.state = { ...freshState, stage, needsAttention, closedWindows, events, usage };
    this.timer.disarm();
    this.wakeUpMs = null;
    if (!alreadyInvoiced) this.enter('ready');
    return !alreadyInvoiced;
  }

  async noteLateUsage(): Promise<void> {
    const { customerId, period } = this.input;
    await periodActivities.noteLateUsage.executeWithOptions({ summary: 'Store what came after the invoice' }, [
      { customerId, period },
    ]);
    this.state = { ...this.state, lateUsage: null };
    this.needAttention();
    this.show();
  }

  async startCorrection(): Promise<'correction_started' | 'late_usage_noted'> {
    const { customerId, period } = this.input;
    const { noted } = await periodActivities.startCorrection.executeWithOptions(
      { summary: 'Start the correction of what came after the invoice' },
      [{ customerId, period }],
    );
    this.state = { ...this.state, lateUsage: null };
    if (noted) this.needAttention();
    this.enter('invoiced');
    return noted ? 'late_usage_noted' : 'correction_started';
  }

  /** Waits for a message or for the clock. The timer may fire early for a deadline that moved: the caller looks again. */
  async waitUntil(atMs: number, summary: string): Promise<void> {
    this.wakeUpMs = atMs;
    this.show();
    this.timer.arm(atMs, summary);
    await condition(() => this.inbox.length > 0 || !this.timer.isArmed);
  }

  /** For the clock alone: messages are left for the reading that follows. */
  async pause(ms: number, summary: string): Promise<void> {
    this.wakeUpMs = Date.now() + ms;
    this.show();
    await sleep(ms, { summary });
  }

  /** Call it from the main loop only; returns when this run goes on. */
  async continueAsNewWhenLong(): Promise<void> {
    if (!workflowInfo().continueAsNewSuggested && this.signalsInRun < signalsPerRunMax) return;
    await condition(allHandlersFinished);
    // A message that came during the wait is applied first: it would be lost with this run.
    if (!this.isInboxEmpty) return;
    const { customerId, period } = this.input;
    await continueAsNew<(input: BillingPeriodInput) => Promise<unknown>>({ customerId, period, state: this.state });
  }

  /** Each change of a search attribute is an action: only a stage that differs is written. */
  enter(stage: BillingPeriodStageName): void {
    if (this.state.stage !== stage) {
      this.state = { ...this.state, stage };
      const { invoiceNumber } = this.reading;
      upsertSearchAttributes([
        { key: billingStageKey, value: stage },
        ...(invoiceNumber === null ? [] : [{ key: invoiceNumberKey, value: invoiceNumber }]),
      ]);
    }
    this.show();
  }

  view(): BillingPeriodView {
    return viewOf({ input: this.input, state: this.state, wakeUpMs: this.wakeUpMs, invoiceNumber: null });
  }

  private needAttention(): void {
    if (this.state.needsAttention) return;
    this.state = { ...this.state, needsAttention: true };
    upsertSearchAttributes([{ key: needsAttentionKey, value: true }]);
  }

  private show(): void {
    const invoiceNumber = this.lastReading?.invoiceNumber ?? null;
    const held = this.lastReading?.held === true;
    setCurrentDetails(
      markdownOf({ input: this.input, state: this.state, wakeUpMs: this.wakeUpMs, invoiceNumber, held }),
    );
  }
}
