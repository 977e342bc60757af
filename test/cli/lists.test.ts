/** Every command that lists something prints it in one way. */
import { cli, stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run } = api;

const lists: readonly (readonly [command: string, nothing: string])[] = [
  ['re-ratings list', 'There are no such re-ratings.'],
  ['reconciliations list', 'There are no such reconciliations.'],
  ['prices evaluations', 'There are no such evaluations.'],
  ['prices rollout list', 'There are no such rollouts.'],
  ['periods list c', 'There are no such billing periods.'],
  ['periods closes list', 'There are no such closes.'],
  ['payments list', 'There are no such payments.'],
  ['refunds list', 'There are no such refunds.'],
  ['write-offs list', 'There are no such write-offs.'],
  ['receivable', 'There are no such receivables.'],
  ['credit-notes list', 'There are no such credit notes by hand.'],
  ['credits list', 'There are no such grants.'],
  ['backfill list', 'There are no such backfills.'],
  ['dead-letters list', 'There are no such dead letters.'],
  ['findings list', 'There are no such findings.'],
  ['audit list', 'There are no such entries.'],
  ['audit keys', 'No key has signed yet.'],
  ['legal-entities list', 'None is registered beside "default".'],
  ['rates list', 'There are no such rates.'],
  ['schemas list', 'There are no such schemas.'],
  ['tags list', 'No tag is registered.'],
  ['customers list', 'There are no such customers.'],
  ['customers price-overrides list c', 'The customer has no prices of its own.'],
  ['price-books list', 'There are no such price books.'],
  ['meters list', 'There are no meters yet.'],
  ['invoices list', 'There are no such invoices.'],
  ['charges events ch-1', 'There are no such events.'],
  ['events list c', 'There are no such events.'],
  ['ledger accounts', 'Nothing was posted by then.'],
  ['ledger trial-balance', 'Nothing was posted by then.'],
  ['ledger balances', 'There are no such balances.'],
  ['ledger entries', 'There are no such entries.'],
  ['ledger snapshots', 'There are no such snapshots.'],
];

test.each(lists)('%s says when there is nothing, and --json stays JSON', async (command, nothing) => {
  const body = { data: [], next_cursor: null };
  api.answer(() => ({ body }));
  const args = command.split(' ');
  expect(await run(...args)).toMatchObject({ code: 0, out: `${nothing}\n` });
  expect(JSON.parse((await run(...args, '--json')).out)).toEqual(body);
});

test('a list fits the terminal, and is whole in a pipe', async () => {
  const reference = 'SEPA '.repeat(30).trim();
  api.answer(() => ({ body: { data: [{ payment_id: 'p-1', reference }], next_cursor: null } }));
  const widthOf = async (columns: number | null): Promise<number> => {
    const { out } = await cli(['payments', 'list', '--url', api.url], {}, 'ada', columns);
    return Math.max(...out.split('\n').map((line) => line.length));
  };
  expect(await widthOf(120)).toBeLessThanOrEqual(120);
  expect(await widthOf(null)).toBeGreaterThan(reference.length);
});

test('credit notes by hand: those of corrections are said to be elsewhere, for a person', async () => {
  api.answer(() => ({ body: { data: [{ number: 'CN-000001' }], next_cursor: null } }));
  expect(await run('credit-notes', 'list')).toMatchObject({
    out: expect.stringContaining('CN-000001'),
    err: 'Those that corrections made: reckoner invoices list --type credit_note\n',
  });
  expect(await run('credit-notes', 'list', '--json')).toMatchObject({ err: '' });
});
