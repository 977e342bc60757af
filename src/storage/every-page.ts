import type { Page, PageRequest } from './types-paging.js';

/** The pages of a list, one after the other, to its end. */
export async function* everyPage<T>(
  list: (page: PageRequest) => Promise<Page<T>>,
  limit: number,
): AsyncGenerator<readonly T[]> {
  let page = await list({ limit });
  for (;;) {
    yield page.data;
    if (page.nextCursor === null) return;
    page = await list({ limit, cursor: page.nextCursor });
  }
}
