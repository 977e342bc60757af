/** A charge as a letter to the customer: what was used, what the price says, and the arithmetic from one to the other. */
import { rateText } from '../documents/exchange.js';
import { minorUnits } from '../domain/money/currency.js';
import { isRetired } from '../domain/correction/retire.js';
import type { ChargeExplanation } from './charge-explanation.js';
import { decimalText } from './fraction.js';
import { correctedText } from './invoice-line.js';
import type { LineOnInvoice } from './invoice-line.js';
import { stepsOf } from './recompute.js';
import type { Step } from './recompute.js';
import { beginText, columns, facts, groupText, heading, stretchText, wrapped } from './text.js';
import { termsInWords } from './terms.js';
import { usageText } from './usage.js';
import { modelInWords } from './words.js';

export interface ExplainOptions {
  /** Every window, instead of a line a day. */
  readonly allWindows: boolean;
  /** The lines that bill it, where they are known: with the prices of the rest of the period, and later corrections. */
  readonly lines?: readonly LineOnInvoice[];
}

export function explainCharge(charge: ChargeExplanation, { allWindows, lines = [] }: ExplainOptions): string {
  const line = lines.find(({ charges }) => charges.some(({ charge_id: id }) => id === charge.charge_id));
  return [
    `${heading(titleOf(charge), '=')}${headText(charge)}`,
    ...notices(charge, line).map((notice) => wrapped(notice, { first: '! ', rest: '  ' })),
    charge.meter === null ? '' : `${heading('What was used')}${usageText(charge, allWindows)}`,
    `${heading('What the price says')}${priceText(charge, line?.charges ?? [])}`,
    `${heading('The arithmetic')}${arithmeticText(charge)}`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function titleOf({ meter, calculation }: ChargeExplanation): string {
  if (meter !== null) return `How the charge for "${meter}" was worked out`;
  if (calculation.model === 'minimum_commitment') return 'How the minimum commitment was worked out';
  return calculation.fixed === undefined
    ? 'How a fee was worked out'
    : `How the fee "${calculation.fixed.name}" was worked out`;
}

function headText(charge: ChargeExplanation): string {
  const { group } = charge;
  return facts([
    ['Customer', charge.customer_id],
    ...periodFacts(charge),
    ...(Object.keys(group).length === 0 ? [] : [['Of usage with', groupText(group)] as const]),
    ['Amount', `${charge.amount} ${charge.currency}, not rounded: an invoice rounds once, at its line`],
    ['Charge', charge.charge_id],
  ]);
}

/** Of a fee in advance what it is for, and by which period's invoice it is billed. */
function periodFacts(charge: ChargeExplanation): readonly (readonly [string, string])[] {
  const zone = charge.time_zone;
  const days = stretchText({ from: charge.period_from, to: charge.period_to }, zone);
  const times = `(times are those of ${zone})`;
  const { fixed, in_force: inForce } = charge.calculation;
  const [first, last] = [inForce[0], inForce.at(-1)];
  if (fixed?.billed !== 'in_advance' || first === undefined || last === undefined)
    return [['Period', `${days} ${times}`]];
  const due = stretchText({ from: first.from, to: last.to }, zone);
  return [
    ['For', `${due}, in advance ${times}`],
    ['Billed', `on the invoice of ${days}`],
  ];
}

/** What its reader must know before anything else. */
function notices(charge: ChargeExplanation, line: LineOnInvoice | undefined): readonly string[] {
  const { charge_id: id, current_charge_ids: current, provisional, prices_as_of: asOf } = charge;
  const corrections = line?.correctedSince ?? [];
  const replaced =
    corrections.length > 0
      ? correctedText(corrections)
      : current.length === 0
        ? 'The line of this charge has no charge any more: its usage has been voided or moved.'
        : `This charge does not hold any more. It has been replaced by ${current.join(', ')}.`;
  return [
    ...(provisional ? ['PROVISIONAL: an estimate while the period goes on. It is not invoiced, and may change.'] : []),
    ...(charge.price_lookup === 'fallback'
      ? [
          `Prices could not be read when it was rated: it has those known at ${asOf ?? '(unknown)'}, and is rated again.`,
        ]
      : []),
    ...(current.includes(id) ? [] : [replaced]),
  ];
}

function priceText(charge: ChargeExplanation, line: readonly ChargeExplanation[]): string {
  const { calculation, currency, time_zone: zone } = charge;
  const { conversion } = calculation;
  const source = facts([
    ['Price book', `${calculation.price_book}, version ${calculation.price_book_version}`],
    ['In force since', beginText(calculation.effective_date, zone)],
    ...(conversion === undefined ? [] : [['Conversion', rateText(conversion)] as const]),
  ]);
  const sentences = isRetired(calculation)
    ? [
        'Nothing is left of this charge: its usage was taken back, or has another price now. It stands at 0, so that what was invoiced with it is given back.',
      ]
    : [...modelInWords(calculation, currency), ...termsInWords(charge, line)];
  return `${source}\n${sentences.map((sentence) => wrapped(sentence)).join('')}`;
}

/**
 * A line a step, `EXPRESSION = AMOUNT`, and their sum: exact, and all that is needed to work the amount out again. A reader
 * of these lines (a test is one) needs nothing else.
 */
function arithmeticText({ calculation, amount, currency }: ChargeExplanation): string {
  const digits = minorUnits(currency);
  const worked = workedOut(calculation);
  if (typeof worked === 'string') return wrapped(`! It cannot be worked out: ${worked}.`);
  const steps = worked.map((step) => ({ ...step, text: decimalText(step.amount, digits) }));
  const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => text.length));
  const left = widest(steps.map(({ expression }) => expression));
  const right = widest([...steps.map(({ text }) => text), amount]);
  // What does not fit beside each other stands below each other.
  const isWide = left + right > columns - 40;
  const row = (expression: string, text: string, label: string): string => {
    const figures = `= ${text.padStart(right)}   `;
    if (!isWide)
      return wrapped(label, { first: `  ${expression.padEnd(left)} ${figures}`, rest: ' '.repeat(left + 3) });
    return `  ${expression}\n${wrapped(label, { first: `    ${figures}`, rest: '    ' })}`;
  };
  const lines = steps.map(({ expression, text, label }) => row(expression, text, label));
  const rule = isWide ? '\n' : `  ${' '.repeat(left)}   ${'-'.repeat(right)}\n`;
  return `${lines.join('')}${rule}${row('Together', amount, currency)}${conversionText(calculation, amount)}`;
}

/** From the currency of the price to that of the invoice. */
function conversionText({ conversion }: ChargeExplanation['calculation'], amount: string): string {
  if (conversion === undefined) return '';
  const { rate, amount: converted, from, to } = conversion;
  return `\n${wrapped(`Converted from ${from} to ${to}: ${amount} × ${rate} = ${converted} ${to}, not rounded.`)}`;
}

/** Why not, where what is stored does not say enough. */
function workedOut(calculation: ChargeExplanation['calculation']): readonly Step[] | string {
  try {
    return stepsOf(calculation);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
