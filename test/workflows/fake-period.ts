/** A billing period in memory, with the activities of `billingPeriod` on it: a ledger small enough to reason about. */
import type {
  CloseWindowsInput,
  CloseWindowsOutput,
  LedgerWindow,
  LedgerWindows,
  PeriodKey,
  PeriodReading,
  PeriodSettings,
  ReadPeriodInput,
  RequestInvoicingInput,
  RequestInvoicingOutput,
  StartCorrectionOutput,
} from '../../src/contracts/activities.js';
import { openWindowsMax } from '../../src/contracts/billing-period.js';
import type { UsageRecorded, WindowSum } from '../../src/contracts/billing-period.js';
import { emptyDigest, digestOf } from '../../src/domain/metering/digest.js';
import { addMs, instantToMs, msPerHour, msToInstant } from '../../src/domain/time/instant.js';
import type { DecimalString, Instant, LocalDate, Position } from '../../src/domain/values.js';

export interface FakeEvent {
  readonly meter: string;
  readonly at: Instant;
}

interface FakeFact extends FakeEvent {
  readonly position: number;
  readonly window: LedgerWindow;
}

export interface FakePeriodOptions {
  readonly from: Instant;
  readonly to: Instant;
  readonly meters?: readonly string[];
  readonly settings?: Partial<PeriodSettings>;
}

const minute = 60_000;

export const fakeSettings: Omit<PeriodSettings, 'allowedLatenessMs'> = {
  outOfOrdernessMs: minute,
  idleTimeoutMs: 5 * minute,
  invoiceDelayMs: 60 * minute,
  lateUsageQuietMs: 60 * minute,
  ratingCadenceMs: 24 * 60 * minute,
};

let periods = 0;

export class FakePeriod {
  /** One a period: tests share a server. */
  readonly customerId = `customer ${(periods += 1)}/a`;
  readonly period: LocalDate;
  readonly calls = {
    readPeriod: 0,
    closeWindows: [] as CloseWindowsInput[],
    requests: [] as RequestInvoicingInput[],
    lateNotes: 0,
    corrections: 0,
  };
  /** Windows whose accumulated figures differed from the ledger's. */
  differences = 0;
  revisions: { readonly window: LedgerWindow; readonly events: number }[] = [];
  stage: PeriodReading['stage'] = 'metering';
  invoicedThrough: number | null = null;
  /** An open backfill covers the whole period. */
  held = false;
  /** The customer's quiet time is 'manual'. */
  correctsByHand = false;
  /** What invoicing decides on a request; `issued` at once unless a test says otherwise. */
  decision: 'issued' | 'pending' | 'held' = 'issued';
  /** Called before an activity answers, to let something happen meanwhile. */
  meanwhile: (activity: string) => Promise<void> = () => Promise.resolve();

  private readonly facts: FakeFact[] = [];
  private readonly closedThrough = new Map<string, number>();
  private planned = 0;
  private lastRange = 0;
  readonly settings: PeriodSettings;

  constructor(private readonly options: FakePeriodOptions) {
    this.period = options.from.slice(0, 10) as LocalDate;
    const meters = options.meters ?? ['calls'];
    this.settings = {
      ...fakeSettings,
      allowedLatenessMs: Object.fromEntries(meters.map((meter) => [meter, msPerHour])),
      ...options.settings,
    };
  }

  get key(): PeriodKey {
    return { customerId: this.customerId, period: this.period };
  }

  /** Appends facts and plans the range that tells of them, as the relay would. */
  record(...events: readonly FakeEvent[]): UsageRecorded {
    this.append(...events);
    return this.plan();
  }

  append(...events: readonly FakeEvent[]): void {
    for (const event of events) this.facts.push({ ...event, position: this.facts.length + 1, window: windowOf(event) });
  }

  /** The range from the last planned fact to the newest one. */
  plan({ withSums = true } = {}): UsageRecorded {
    const fresh = this.facts.filter(({ position }) => position > this.planned);
    const to = this.facts.length;
    const from = this.lastRange;
    this.planned = to;
    this.lastRange = to;
    const times = fresh.map(({ at }) => at).sort();
    return {
      from: String(from) as Position,
      to: String(to) as Position,
      eventCount: fresh.length,
      maxEventTime: times.at(-1) ?? null,
      sums: withSums ? sumsOf(fresh) : null,
    };
  }

  get openWindows(): readonly LedgerWindow[] {
    const open = new Map<string, LedgerWindow>();
    for (const fact of this.facts) {
      const { window } = fact;
      if (fact.position > (this.closedThrough.get(keyOf(window)) ?? 0)) open.set(keyOf(window), window);
    }
    return [...open.values()];
  }

  /** What the activities answer; the names are those of the real ones. */
  get activities() {
    return {
      readPeriod: (input: ReadPeriodInput) => this.answer('readPeriod', () => this.read(input)),
      closeWindows: (input: CloseWindowsInput) => this.answer('closeWindows', () => this.close(input)),
      requestInvoicing: (input: RequestInvoicingInput) => this.answer('requestInvoicing', () => this.request(input)),
      startCorrection: (_key: PeriodKey) => this.answer('startCorrection', () => this.correct()),
      noteLateUsage: (_key: PeriodKey) => this.answer('noteLateUsage', () => void (this.calls.lateNotes += 1)),
    };
  }

  private correct(): StartCorrectionOutput {
    if (this.correctsByHand) {
      this.calls.lateNotes += 1;
      return { reRatingId: null, noted: true };
    }
    this.calls.corrections += 1;
    return { reRatingId: `late-${this.calls.corrections}`, noted: false };
  }

  private async answer<T>(activity: string, work: () => T): Promise<T> {
    const result = work();
    await this.meanwhile(activity);
    return result;
  }

  private read({ nowMs }: ReadPeriodInput): PeriodReading {
    this.calls.readPeriod += 1;
    const times = this.facts.map(({ at }) => at).sort();
    const isMetering = this.stage === 'metering';
    return {
      from: this.options.from,
      to: this.options.to,
      timeZone: 'UTC',
      stage: this.stage,
      invoiceNumber: this.stage === 'invoiced' ? 'INV-000001' : null,
      highestEventTime: isMetering ? (times.at(-1) ?? null) : null,
      windows: isMetering && !this.held ? this.listed(nowMs) : { kind: 'listed', windows: [] },
      veryLateFacts: this.invoicedThrough === null ? 0 : this.facts.length - this.invoicedThrough,
      settings: this.settings,
      ...(this.held && { held: true }),
    };
  }

  private listed(nowMs: number): LedgerWindows {
    const windows = this.openWindows;
    if (windows.length <= openWindowsMax) return { kind: 'listed', windows };
    const targets = windows
      .map(({ e }) => instantToMs(e) + msPerHour)
      .filter((target) => target > nowMs - fakeSettings.idleTimeoutMs);
    return {
      kind: 'many',
      earliestTargetMs: targets.length === 0 ? null : Math.min(...targets),
      anyPast: targets.length < windows.length,
    };
  }

  private close(input: CloseWindowsInput): CloseWindowsOutput {
    this.calls.closeWindows.push(input);
    const cutoff = this.facts.length;
    const isDue = ({ e }: LedgerWindow): boolean =>
      instantToMs(e) + msPerHour + fakeSettings.idleTimeoutMs <= input.nowMs;
    const windows = { listed: input.windows, due: this.openWindows.filter(isDue), all: this.openWindows }[input.scope];
    const differences = input.windows.filter((window) => this.differs(window, Number(input.accumulatedThrough))).length;
    this.differences += differences;
    for (const window of this.held && input.scope !== 'all' ? [] : windows) {
      this.closedThrough.set(keyOf(window), cutoff);
      this.revisions.push({ window, events: this.factsOf(window).length });
    }
    const remaining = input.scope === 'due' ? this.listed(input.nowMs) : null;
    return {
      cutoff: String(cutoff) as Position,
      closed: windows.length,
      revisions: windows.length,
      differences,
      remaining,
    };
  }

  private differs(window: CloseWindowsInput['windows'][number], through: number): boolean {
    if (window.since === null) return false;
    const since = Number(window.since);
    const inLedger = this.factsOf(window).filter(({ position }) => position > since && position <= through);
    const [sum] = sumsOf(inLedger);
    return window.n !== inLedger.length || window.d !== (sum?.d ?? emptyDigest) || window.q !== (sum?.q ?? '0');
  }

  private factsOf(window: LedgerWindow): readonly FakeFact[] {
    return this.facts.filter((fact) => fact.window.m === window.m && fact.window.w === window.w);
  }

  private request(input: RequestInvoicingInput): RequestInvoicingOutput {
    if (this.stage === 'invoiced') return { alreadyInvoiced: true };
    if (this.held && input.onDemand !== true) return { alreadyInvoiced: false, held: true };
    this.calls.requests.push(input);
    if (this.decision === 'issued') this.issue();
    else if (this.decision === 'pending') this.stage = 'requested';
    return { alreadyInvoiced: false };
  }

  /** The gate takes its own cutoff: everything that is in the ledger now. */
  issue(): void {
    this.stage = 'invoiced';
    this.invoicedThrough = this.facts.length;
  }
}

const keyOf = ({ m, w }: LedgerWindow): string => `${m} ${w}`;

function windowOf({ meter, at }: FakeEvent): LedgerWindow {
  const start = msToInstant(Math.floor(instantToMs(at) / msPerHour) * msPerHour);
  return { m: meter, w: start, e: addMs(start, msPerHour) };
}

function sumsOf(facts: readonly FakeFact[]): readonly WindowSum[] {
  const byWindow = new Map<string, { readonly window: LedgerWindow; readonly facts: FakeFact[] }>();
  for (const fact of facts) {
    const { window } = fact;
    const entry = byWindow.get(keyOf(window)) ?? { window, facts: [] };
    entry.facts.push(fact);
    byWindow.set(keyOf(window), entry);
  }
  return [...byWindow.values()].map(({ window, facts: own }) => ({
    ...window,
    n: own.length,
    q: String(own.length) as DecimalString,
    d: digestOf(own.map(({ position }) => BigInt(position) * 1_000_003n)),
  }));
}
