/** What a price says, in sentences. Figures are printed as they stand in the explanation: no digit is lost. */
import { rateText } from '../documents/exchange.js';
import { decimalText, fraction, over, rounded, times } from './fraction.js';
import type { Fraction } from './fraction.js';
import type { ExplainedCalculation } from './charge-explanation.js';

/** `0.029` as `2.9 %`. */
export const percentText = (rate: string): string => `${decimalText(times(fraction(rate), fraction('100')))} %`;

/** How the model goes from units to money. */
export function modelInWords(calculation: ExplainedCalculation, currency: string): readonly string[] {
  const money = (amount: string): string => `${amount} ${currency}`;
  switch (calculation.model) {
    case 'flat':
      return [`Every unit costs ${money(calculation.unit_price ?? '?')}.`];
    case 'tiered':
      return [
        'Priced in tiers: each unit costs the price of the tier it falls into. The tiers are filled anew in every period.',
      ];
    case 'graduated_percentage':
      return [
        'A percentage in tiers: each part of the amount pays the rate of the tier it falls into. The tiers are filled anew in every period.',
        `Rates: ${calculation.tiers.map(({ unit_price: rate }) => `${rate} is ${percentText(rate)}`).join(', ')}.`,
      ];
    case 'volume':
      return [
        `Priced by volume: the tier that the whole period's total reaches (${calculation.period_quantity}) is the price of every unit.`,
      ];
    case 'package':
      return packageInWords(calculation, money);
    case 'percentage':
      return percentageInWords(calculation, money);
    case 'fixed':
      return feeInWords(calculation, money);
    case 'minimum_commitment':
      return commitmentInWords(calculation, money);
  }
}

type MoneyText = (amount: string) => string;

function packageInWords({ package: terms }: ExplainedCalculation, money: MoneyText): readonly string[] {
  if (terms === undefined) return [];
  return [
    `Sold in packages of ${terms.size} at ${money(terms.price)} each; a package that is begun counts in full. Here: ${terms.packages}.`,
  ];
}

function commitmentInWords(calculation: ExplainedCalculation, money: MoneyText): readonly string[] {
  const { commitment } = calculation;
  if (commitment === undefined) return [];
  const converted = commitment.converted;
  return [
    ...(converted === undefined
      ? []
      : [
          `The agreed minimum is ${converted.price} ${converted.from}, rounded ${commitment.minimum} ${converted.to}: ${rateText(converted)}.`,
        ]),
    `The agreed minimum of a period is ${money(commitment.minimum)}. All other lines came to ${money(commitment.lines)}; this line makes up for the rest.`,
  ];
}

function feeInWords({ fixed, quantity }: ExplainedCalculation, money: MoneyText): readonly string[] {
  if (fixed === undefined) return [];
  const by =
    fixed.quantity_meter === null
      ? `A fee of ${money(fixed.amount)} a period`
      : `A fee of ${money(fixed.amount)} a period for each unit of "${fixed.quantity_meter}", of which there were ${quantity}`;
  const when =
    fixed.billed === 'in_advance' ? 'billed in advance, before its period begins' : 'billed at the end of its period';
  const { elapsed_seconds: part, period_seconds: all } = fixed;
  if (part === undefined || all === undefined) return [`${by}, ${when}.`];
  return [
    `${by}, ${when}.`,
    `It was in force for a part of that period, and is due for that part only: ${shareText(part, all)}. The result is rounded to 12 digits after the point.`,
  ];
}

/** `15 of 31 days (1296000 of 2678400 seconds)`; in hours where a clock change or a part of a day leaves no whole days. */
function shareText(part: string, all: string): string {
  const whole = (unit: string): boolean => [part, all].every((own) => isWhole(over(fraction(own), fraction(unit))));
  const [unit, name] = whole('86400') ? (['86400', 'days'] as const) : (['3600', 'hours'] as const);
  const of = (own: string): string => decimalText(rounded(over(fraction(own), fraction(unit)), whole(unit) ? 0 : 2));
  return `${of(part)} of ${of(all)} ${name} (${part} of ${all} seconds)`;
}

const isWhole = ({ n, d }: Fraction): boolean => n % d === 0n;

function percentageInWords({ percentage }: ExplainedCalculation, money: MoneyText): readonly string[] {
  if (percentage === undefined) return [];
  const { rate, fixed_fee: fee, per_event_minimum: low, per_event_maximum: high, free, rated, negative } = percentage;
  const { free_events: freeEvents, free_amount: freeAmount, at_minimum: atLow, at_maximum: atHigh } = percentage;
  const and = fee === null ? '' : `, and ${money(fee)} for each of them`;
  const allowances = [
    ...(freeEvents === null ? [] : [freeEvents === 1 ? 'the first event' : `the first ${freeEvents} events`]),
    ...(freeAmount === null ? [] : [`the first ${freeAmount} of the amount`]),
  ];
  return [
    `${percentText(rate)} (${rate}) of the amount of every event${and}.`,
    ...(low === null ? [] : [`An event costs ${money(low)} at least; ${eventsText(atLow.events)} came to less.`]),
    ...(high === null ? [] : [`An event costs ${money(high)} at most; ${eventsText(atHigh.events)} came to more.`]),
    ...(allowances.length === 0
      ? []
      : [
          `Free in every period: ${allowances.join(' and ')}${allowances.length > 1 ? ', until one of the two is used up' : ''}. ` +
            `Here ${eventsText(free.events)} cost nothing at all, and ${free.amount} of the amount was free.`,
        ]),
    rated.events === 0
      ? 'Here no event pays the rate.'
      : `${eventsText(rated.events)} with ${rated.amount} ${rated.events === 1 ? 'pays' : 'pay'} the rate${fee === null ? '' : ' and the fee'}.`,
    ...(negative.events === 0
      ? []
      : [
          `${eventsText(negative.events)} below zero (${negative.amount}) ${negative.events === 1 ? 'takes' : 'take'} the rate back.`,
        ]),
  ];
}

export const eventsText = (count: number): string => (count === 1 ? '1 event' : `${count} events`);
