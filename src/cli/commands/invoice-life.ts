/** What became of an invoice, and what a draft waits for. */
import type { JsonObject } from '../api-client.js';
import { rowsOf } from '../context.js';
import { column, property, renderTable } from '../output.js';

/** Of an invoice that is not issued: why, until when, and what a decision about it has to name. */
export function draftFacts(invoice: JsonObject): readonly (readonly [string, unknown])[] {
  const read = (name: string): unknown => property(`draft.${name}`)(invoice);
  const dueAt = read('due_at');
  const last = rowsOf(read('decisions')).at(-1);
  return [
    ['Why', read('reason')],
    ['Issued by itself', dueAt === null || dueAt === undefined ? 'never' : `at ${String(dueAt)}`],
    ['Content hash', read('content_hash')],
    ...(last === undefined ? [] : [['Decided', decisionText(last)] as const]),
    ...rowsOf(read('problems')).map(
      (problem) => ['Problem', `${String(problem['code'])}: ${String(problem['detail'])}`] as const,
    ),
  ];
}

const decisionText = (decision: JsonObject): string =>
  `${String(decision['decision'])} by ${String(decision['actor'])}: ${String(decision['reason'])}`;

/** Nothing where there is no more to say than that it is issued. */
export function lifeTable({ life }: JsonObject): readonly string[] {
  const events = rowsOf(life);
  if (events.length < 2) return [];
  const columns = [column('Life', 'event'), column('By', 'actor'), column('At', 'at'), column('Reason', 'reason')];
  return [renderTable(columns, events)];
}
