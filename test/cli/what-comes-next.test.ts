/** The last line of what was asked for and is not at its end: what comes next, and by whom. */
import { stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run } = api;

const goesOn = 'Goes on by itself: reckoner re-ratings show r-1';
test.each([
  [{ status: 'comparing', corrections: [] }, [goesOn]],
  [{ status: 'correcting', corrections: [] }, [goesOn]],
  [{ status: 'reconciling' }, [goesOn]],
  [
    { status: 'awaiting_approval', corrections: [] },
    ['Waits for somebody other than ada: reckoner re-ratings approve|reject r-1'],
  ],
  [{ status: 'no_difference', corrections: [] }, ['Nothing differs, nothing is issued']],
  [{ status: 'no_difference', corrections: [], dry_run: true }, ['Nothing differs, nothing is issued']],
  [{ status: 'completed', corrections: [], dry_run: true }, ['Nothing was issued']],
  [{ status: 'rejected', corrections: [] }, ['Nothing was issued']],
  [
    { status: 'completed', corrections: ['inv-2', 'inv-3'] },
    ['See the correction: reckoner invoices show inv-2', 'See the correction: reckoner invoices show inv-3'],
  ],
])('after a re-rating that is %j', async (more, lines) => {
  api.answer(() => ({ body: { re_rating_id: 'r-1', requested_by: 'ada', ...more } }));
  for (const args of [
    ['re-rate', '--reason', 'manual', '--customer', 'c'],
    ['re-ratings', 'show', 'r-1'],
  ]) {
    const { out } = await run(...args);
    expect(out.split('\n').slice(-2 - lines.length)).toEqual(['', ...lines, '']);
    expect((await run(...args, '--json')).out).not.toContain(lines[0]);
  }
});

test.each([
  [['reconcile'], 'run_id', 'Run', 'reckoner reconciliations show x-1'],
  [
    ['prices', 'evaluate', '--price-book', 'a@1', '--all'],
    'evaluation_id',
    'Evaluation',
    'reckoner prices evaluation x-1',
  ],
  [['prices', 'rollout', 'compare', 'o-1'], 'evaluation_id', 'Comparison', 'reckoner prices rollout status o-1'],
])('after %j', async (args, id, name, command) => {
  api.answer(() => ({ status: 202, body: { [id]: 'x-1', status: 'running' } }));
  const { out } = await run(...args);
  const [first, second, ...rest] = out.split('\n');
  expect([first, second]).toEqual([
    expect.stringMatching(`^${name} +x-1$`),
    expect.stringMatching(/^Status +running$/),
  ]);
  expect(rest).toEqual(['', `Goes on by itself: ${command}`, '']);
  api.answer(() => ({ status: 202, body: { [id]: 'x-1', status: 'finished' } }));
  expect((await run(...args)).out).toMatch(new RegExp(`See it: ${command}\n$`));
});

test.each([
  [['reconciliations', 'show', 'x-1'], 'run_id', 'reckoner reconciliations show x-1'],
  [['prices', 'evaluation', 'x-1'], 'evaluation_id', 'reckoner prices evaluation x-1'],
])('%j while it runs, and not after', async (args, id, command) => {
  const body = { [id]: 'x-1', status: 'running', different: 0, periods: 1 };
  api.answer(() => ({ body }));
  expect((await run(...args)).out).toMatch(new RegExp(`\n\nGoes on by itself: ${command}\n$`));
  api.answer(() => ({ body: { ...body, status: 'finished' } }));
  expect((await run(...args)).out).not.toContain(command);
});
