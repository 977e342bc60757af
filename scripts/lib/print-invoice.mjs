/** An invoice on the console: its lines, and under each the formula that makes its amount. */
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
