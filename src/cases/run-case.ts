/** Runs one case on one engine, step by step, up to the first step that does not come out. */
import { DomainFailure } from '../domain/failure.js';
import { StepRefusal } from './engine.js';
import type { CaseEngine, StartEngine } from './engine.js';
import { expandEvents, expandUsage } from './expand.js';
import {
  differencesInCorrection,
  differencesInInvoice,
  differencesInNoCorrection,
  differencesInUsage,
  differencesInWindows,
} from './expectations.js';
import type { BillingCase, CaseAction, CaseStep } from './format.js';

/** Where a case went wrong, and how. */
export interface CaseFailure {
  /** 1 for the first; null when the case did not get to its steps. */
  readonly step: number | null;
  readonly what: string;
  readonly differences: readonly string[];
}

/** null: everything came out as expected. */
export async function runCase(billingCase: BillingCase, start: StartEngine): Promise<CaseFailure | null> {
  let at: Pick<CaseFailure, 'step' | 'what'> = { step: null, what: 'facts of the case' };
  try {
    const engine = await start(billingCase);
    for (const stage of billingCase.price_rollouts ?? []) await engine.rollOut(stage);
    for (const [index, step] of billingCase.steps.entries()) {
      at = { step: index + 1, what: nameOf(step) };
      const differences = await runStep(engine, step, { billingCase, number: index + 1 });
      if (differences.length > 0) return { ...at, differences };
    }
    return null;
  } catch (error) {
    return { ...at, differences: [refusalOf(error)?.message ?? describeError(error)] };
  }
}

interface StepContext {
  readonly billingCase: BillingCase;
  readonly number: number;
}

async function runStep(engine: CaseEngine, step: CaseStep, context: StepContext): Promise<readonly string[]> {
  if (step.expect_usage !== undefined) {
    const { period, meter } = step.expect_usage;
    return differencesInUsage(step.expect_usage, await engine.windows(period, meter));
  }
  if (step.expect_windows !== undefined) {
    const { period, meter } = step.expect_windows;
    return differencesInWindows(step.expect_windows, await engine.windows(period, meter));
  }
  if (step.expect_invoice !== undefined) {
    return differencesInInvoice(step.expect_invoice, await engine.invoice(step.expect_invoice.period));
  }
  if (step.expect_correction !== undefined) {
    return differencesInCorrection(step.expect_correction, await engine.corrections(step.expect_correction.period));
  }
  if (step.expect_no_correction !== undefined) {
    return differencesInNoCorrection(await engine.corrections(step.expect_no_correction.period));
  }
  if (step.expect_refusal !== undefined) return expectRefusal(engine, step.expect_refusal, context);
  await act(engine, step, context);
  return [];
}

async function expectRefusal(
  engine: CaseEngine,
  expected: NonNullable<CaseStep['expect_refusal']>,
  context: StepContext,
): Promise<readonly string[]> {
  try {
    await act(engine, expected.step, context);
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return refusal.code === expected.code ? [] : [`expected the refusal ${expected.code}, found ${refusal.message}`];
  }
  return [`expected the refusal ${expected.code}, but ${nameOf(expected.step)} was carried out`];
}

async function act(engine: CaseEngine, action: CaseAction, { billingCase, number }: StepContext): Promise<void> {
  if (action.events !== undefined) await engine.sendEvents(expandEvents(action.events));
  if (action.usage !== undefined) await engine.sendEvents(expandUsage(action.usage, billingCase.meters, number));
  if (action.price_book !== undefined) await engine.learnPriceBook(action.price_book);
  if (action.exchange_rates !== undefined) await engine.learnExchangeRates(action.exchange_rates);
  if (action.adjust_event !== undefined) await engine.adjustEvent(action.adjust_event);
  if (action.close_period !== undefined) await engine.closePeriod(action.close_period);
  if (action.re_rate !== undefined) await engine.reRate(action.re_rate);
  if (action.price_rollout !== undefined) await engine.rollOut(action.price_rollout);
  if (action.credit_grant !== undefined) await engine.grantCredit(action.credit_grant);
  if (action.void_credit_grant !== undefined) await engine.voidCreditGrant(action.void_credit_grant);
  if (action.void_invoice !== undefined) await engine.voidInvoice(action.void_invoice);
}

function refusalOf(error: unknown): StepRefusal | DomainFailure | null {
  return error instanceof StepRefusal || error instanceof DomainFailure ? error : null;
}

function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** `expect_invoice 2024-01`: the step and what it is about. */
function nameOf(step: CaseStep): string {
  const [[kind, value] = ['step', undefined]] = Object.entries(step);
  const period: unknown = typeof value === 'object' && value !== null && 'period' in value ? value.period : value;
  return typeof period === 'string' ? `${kind} ${period}` : kind;
}
