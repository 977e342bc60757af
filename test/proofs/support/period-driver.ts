/**
 * A billing period as its workflow runs it, without Temporal: the workflow's own state machine and rules on a clock of the test's, and
 * the real activities. So a month passes in a second, and signals and runs can be lost.
 */
import type { CloseWindowsInput, PeriodReading } from '../../../src/contracts/activities.js';
import type { BillingPeriodState, UsageRecorded } from '../../../src/contracts/billing-period.js';
import type { LocalDate } from '../../../src/domain/values.js';
import {
  applyRange,
  asFoundPast,
  freshState,
  mergeLedgerWindows,
  toClose,
  withoutClosed,
} from '../../../src/workflows/billing-period/accumulation.js';
import { dueWindows, manyWindowsDueAt, wakeUpAt } from '../../../src/workflows/billing-period/deadlines.js';
import type { ActivityFixture } from '../../activities/fixture.js';

export class PeriodDriver {
  /** Windows that differed from what the signals had told. */
  differences = 0;
  private state: BillingPeriodState = freshState;
  private reading: PeriodReading | null = null;
  private inbox: readonly UsageRecorded[] = [];

  constructor(
    private readonly fixture: ActivityFixture,
    private readonly key: { readonly customerId: string; readonly period: LocalDate },
    private nowMs: number,
  ) {}

  receive(range: UsageRecorded): void {
    this.inbox = [...this.inbox, range];
  }

  /** The run ends and another begins, which knows nothing: it reads. */
  restart(): void {
    [this.state, this.reading, this.inbox] = [freshState, null, []];
  }

  /** Only plain JSON survives, and the new run begins by reading. */
  continueAsNew(): void {
    this.state = JSON.parse(JSON.stringify(this.state)) as BillingPeriodState;
    this.reading = null;
  }

  /** Handles what is due now, then whatever becomes due until then, each in its own time. */
  async advanceTo(ms: number): Promise<void> {
    for (;;) {
      const reading = await this.handleWhatIsDue();
      const next = wakeUpAt(this.state, reading);
      if (next > ms || next <= this.nowMs) break;
      this.nowMs = next;
    }
    this.nowMs = ms;
    await this.handleWhatIsDue();
  }

  private async handleWhatIsDue(): Promise<PeriodReading> {
    for (;;) {
      const reading = this.reading === null || this.state.lookInLedger ? await this.read() : this.reading;
      const { settings } = reading;
      this.apply(settings);
      if (this.state.lookInLedger) continue;
      if (dueWindows(this.state, { settings, nowMs: this.nowMs }).length > 0) {
        await this.close('listed', settings);
        continue;
      }
      const manyDueAt = manyWindowsDueAt(this.state, settings);
      if (manyDueAt === null || manyDueAt > this.nowMs) return reading;
      await this.close('due', settings);
    }
  }

  private apply(settings: PeriodReading['settings']): void {
    const told = this.inbox;
    this.inbox = [];
    for (const range of told) this.state = applyRange(this.state, range, { settings, nowMs: this.nowMs });
  }

  private async read(): Promise<PeriodReading> {
    const { activities, run } = this.fixture;
    const { nowMs } = this;
    const isFirstLook = this.reading === null && this.state === freshState;
    const reading = await run(activities.readPeriod, { ...this.key, nowMs });
    if (isFirstLook) this.state = asFoundPast(this.state, { to: reading.to, nowMs });
    this.apply(reading.settings);
    this.state = mergeLedgerWindows(this.state, reading, { settings: reading.settings, nowMs });
    this.reading = reading;
    return reading;
  }

  private async close(scope: CloseWindowsInput['scope'], settings: PeriodReading['settings']): Promise<void> {
    const { activities, run } = this.fixture;
    const { nowMs } = this;
    const windows = (scope === 'listed' ? dueWindows(this.state, { settings, nowMs }) : []).map(toClose);
    const accumulatedThrough = this.state.appliedThrough;
    const input = { ...this.key, nowMs, scope, windows, accumulatedThrough, rate: true };
    const closed = await run(activities.closeWindows, input);
    this.differences += closed.differences;
    this.state = withoutClosed(this.state, windows);
    if (closed.remaining !== null) {
      const found = { windows: closed.remaining, highestEventTime: null };
      this.state = mergeLedgerWindows(this.state, found, { settings, nowMs });
    }
  }
}
