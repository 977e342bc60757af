/** Lists of the API as tables. */
import type { JsonObject } from './api-client.js';
import { rowsOf } from './context.js';
import type { CliContext } from './context.js';
import { renderList } from './output.js';
import type { TableColumn } from './output.js';
import { mentionNextPage } from './paging.js';

export interface ListShape {
  readonly columns: readonly TableColumn[];
  /** The sentence in place of a table without rows. */
  readonly empty: string;
  /** Left out: a row for each item. */
  readonly rows?: (items: readonly JsonObject[]) => readonly JsonObject[];
}

/** Asks for a list, or a page of one, prints it, and answers it. */
export async function printList(
  path: string,
  { query = {}, ...shape }: ListShape & { readonly query?: Readonly<Record<string, string | undefined>> },
  context: CliContext,
): Promise<unknown> {
  const answer = await context.api.json(path, { query });
  printRows(answer, shape, context);
  return answer;
}

export function printRows(
  answer: unknown,
  { columns, empty, rows = (items) => items }: ListShape,
  context: CliContext,
): void {
  context.print(answer, (_answer, width) => renderList(columns, rows(rowsOf(answer)), { empty, width }));
  mentionNextPage(context, answer);
}
