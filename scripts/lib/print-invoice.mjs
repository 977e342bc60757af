/** Documents on the console: an invoice with the formulas that make its amounts, its correction, and the proofs of both. */
import Table from 'cli-table3';
import { bold, dim, say } from './console.mjs';

const day = (instant) => instant.slice(0, 10);

/**
 * @param {object} invoice as `GET /invoices/{id}` answers
 * @param {readonly object[]} charges as `GET /charges/{id}` answers, those of the lines
 */
export function printInvoice(invoice, charges) {
  const { from, to } = invoice.period;
  say(
    `${bold(invoice.number)}  ${invoice.buyer.name}  ${day(from)} to ${day(to)}  ${dim(`due ${day(invoice.due_at)}`)}`,
  );
  const table = new Table({
    head: ['Description', 'Quantity', 'Formula', `Amount ${invoice.currency}`],
    colAligns: ['left', 'right', 'left', 'right'],
    style: { head: [], border: [] },
  });
  for (const line of invoice.lines) {
    const formulas = charges.filter((charge) => line.charge_ids.includes(charge.charge_id)).map(explanation);
    table.push([line.description, line.quantity ?? '', formulas.join('\n'), line.amount]);
  }
  if (Number(invoice.tax) !== 0) table.push(['Tax', '', '', invoice.tax]);
  table.push([{ content: bold('Total'), colSpan: 3 }, bold(invoice.total)]);
  say(table.toString());
}

function explanation({ calculation }) {
  const { count, digest } = calculation.source_events;
  const version = `${calculation.price_book} ${calculation.price_book_version}`;
  return `${calculation.formula}\n${dim(`${version} from ${day(calculation.effective_date)}; ${count} events, digest ${digest}`)}`;
}

/** A correction: what was invoiced, what is right, and the difference, which is all it asks for. */
export function printCorrection(correction, original) {
  say(`${bold(correction.number)}  corrects ${original.number}  ${dim(`due ${day(correction.due_at)}`)}`);
  const table = new Table({
    head: ['Description', 'Reason', 'Formula', 'Invoiced', 'Correct', `Difference ${correction.currency}`],
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const line of correction.lines) {
    const { description, reason, calculation, original_amount: invoiced, corrected_amount: correct, amount } = line;
    table.push([description, reason, calculation.formula, invoiced, correct, amount]);
  }
  table.push([{ content: bold('Total'), colSpan: 5 }, bold(correction.total)]);
  say(table.toString());
}

/** The chain of each period: the figures of a meter in each stage, which must be the same. */
export function printReconciliation({ results, periods, different }) {
  const table = new Table({
    head: ['Meter', 'Events', 'Aggregates', 'Charges', 'Lines', 'Journal', ''],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  });
  for (const { report, result } of results.data ?? results) {
    for (const { meter, events, aggregates, charges, lines, journal } of report.stages.filter(hasEvents)) {
      const money = [charges, lines, journal].map((stage) => (stage === null ? '–' : withCents(stage.amount)));
      table.push([meter, events.count, aggregates?.count ?? '–', ...money, result]);
    }
  }
  say(`${bold('Reconciliation')}  ${periods} billing period${periods === 1 ? '' : 's'}, ${different} different`);
  say(table.toString());
}

/** Other meters of the server are held against the period too, and say nothing. */
const hasEvents = ({ events }) => events.stored !== 0;

/** At least two places, as the documents have them. */
function withCents(amount) {
  const [whole, fraction = ''] = amount.split('.');
  return `${whole}.${fraction.padEnd(2, '0')}`;
}

export function printVerification({ number, verified, lines }) {
  const amounts = lines
    .map(({ expected, found }) => `${withCents(expected)} computed again, ${withCents(found)} invoiced`)
    .join('; ');
  say(`  Verify ${number}   ${verified ? 'from raw events' : bold('DIFFERS')}: ${amounts}`);
}
