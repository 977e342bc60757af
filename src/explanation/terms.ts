/** What surrounds a price: what it is for, a change of prices within the period, included units, discount and limits. */
import type { ChargeExplanation, ExplainedCalculation } from './charge-explanation.js';
import { equal, fraction, isZero } from './fraction.js';
import { groupText, stretchText } from './text.js';
import { percentText } from './words.js';

/** @param line all charges of the charge's line, where they are known: the other prices of the period */
export function termsInWords(charge: ChargeExplanation, line: readonly ChargeExplanation[]): readonly string[] {
  const { calculation, currency } = charge;
  const { match, except, discount, limit } = calculation;
  const sentences: string[] = [];
  if (match !== undefined) sentences.push(`This price is for usage with ${groupText(match)}.`);
  if (except !== undefined)
    sentences.push(`Usage with ${except.map(groupText).join('; or ')} has a price of its own and is not counted here.`);
  sentences.push(...changeInWords(charge, line), ...beforeInWords(calculation), ...includedInWords(calculation));
  if (discount !== undefined)
    sentences.push(`A discount of ${discount.percent} % is taken off ${discount.of} ${currency}.`);
  if (limit !== undefined)
    sentences.push(
      `The price has a ${limit.kind} of ${limit.limit} ${currency} a period for the whole line, which without it came to ${limit.line_amount} ${currency}.`,
    );
  return sentences;
}

/** Of a price that did not hold for all of the period: for what of it, and what held for the rest. */
function changeInWords(charge: ChargeExplanation, line: readonly ChargeExplanation[]): readonly string[] {
  const { in_force: inForce } = charge.calculation;
  const [first, last] = [inForce[0], inForce.at(-1)];
  const isWhole = first?.from === charge.period_from && last?.to === charge.period_to && inForce.length === 1;
  if (charge.meter === null || isWhole || inForce.length === 0) return [];
  const own = `This price is for the usage of ${stretchesText(charge)}`;
  if (line.length < 2) return [`${own}; the rest of the period has another one, or none.`];
  const inOrder = [...line].sort((a, b) => (beginOf(a) < beginOf(b) ? -1 : 1));
  const prices = inOrder.map((each) => ({ when: stretchesText(each), price: priceText(each) }));
  const [one] = prices;
  const isSame = one !== undefined && one.price.isAll && prices.every(({ price }) => price.text === one.price.text);
  if (isSame) return [`${own}. The rest of the period has the same price, of another version of the price book.`];
  const texts = prices.map(({ when, price }) => `${when}: ${price.text}`);
  return [`${own}. The price changed within the period: ${texts.join('; ')}.`];
}

const beginOf = ({ calculation }: ChargeExplanation): string => calculation.in_force[0]?.from ?? '';

const stretchesText = ({ calculation, time_zone: zone }: ChargeExplanation): string =>
  calculation.in_force.map((stretch) => stretchText(stretch, zone)).join(' and ');

/** The price where it is one figure, else the version that says it; `isAll`: two with this text are the same price. */
function priceText({ calculation, currency }: ChargeExplanation): { readonly text: string; readonly isAll: boolean } {
  const { model, unit_price: price, percentage, discount, price_book: book, price_book_version: version } = calculation;
  const less = discount === undefined ? '' : ` less ${discount.percent} %`;
  if (model === 'flat' && price !== null) return { text: `${price} ${currency}${less}`, isAll: true };
  if (model !== 'percentage' || percentage === undefined) return { text: `${book}, version ${version}`, isAll: false };
  const { rate, fixed_fee: fee, per_event_minimum: low, per_event_maximum: high } = percentage;
  const terms = [
    percentText(rate),
    ...(fee === null ? [] : [`${fee} ${currency} an event`]),
    ...(low === null ? [] : [`${low} ${currency} an event at least`]),
    ...(high === null ? [] : [`${high} ${currency} an event at most`]),
  ];
  return { text: `${terms.join(', ')}${less}`, isAll: true };
}

/** What of the period was counted under an earlier price: said only where something goes on from there. */
function beforeInWords(calculation: ExplainedCalculation): readonly string[] {
  const { quantity_before: before } = calculation;
  if (isZero(fraction(before))) return [];
  const goingOn = [...(isUsedUp(calculation) || calculation.included === undefined ? [] : ['included units'])];
  if (calculation.model === 'tiered' || calculation.model === 'graduated_percentage') goingOn.push('tiers');
  if (typeof calculation.percentage?.free_events === 'number') goingOn.push('free events');
  if (typeof calculation.percentage?.free_amount === 'string') goingOn.push('free amount');
  if (goingOn.length === 0) return [];
  const isAmount = calculation.model === 'percentage' || calculation.model === 'graduated_percentage';
  const counted = isAmount ? `an amount of ${before}` : `${before} units`;
  const verb = goingOn.length === 1 && goingOn[0] === 'free amount' ? 'goes' : 'go';
  return [
    `Before that, ${counted} had been counted in the period; the ${goingOn.join(' and the ')} ${verb} on from there.`,
  ];
}

function includedInWords(calculation: ExplainedCalculation): readonly string[] {
  const { included, quantity } = calculation;
  if (included === undefined) return [];
  if (isUsedUp(calculation)) return [`The ${included.units} included units of the period had been used up before.`];
  return [
    `The first ${included.units} units of a period are included; ${included.quantity} of the ${quantity} units here are beyond them.`,
  ];
}

/** All included units were taken by usage under an earlier price. */
function isUsedUp({ included, quantity, quantity_before: before }: ExplainedCalculation): boolean {
  if (included === undefined || isZero(fraction(before)) || isZero(fraction(quantity))) return false;
  return equal(fraction(included.quantity), fraction(quantity));
}
