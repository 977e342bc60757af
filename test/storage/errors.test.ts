/** Which errors say that the database is away: everybody retries those, and gives up on the others. */
import { DomainFailure } from '../../src/domain/failure.js';
import { isUnavailable, StorageUnavailable } from '../../src/storage/errors.js';

const withCode = (code: string, more: object = {}): Error => Object.assign(new Error('of a test'), { code, ...more });

test.each([
  ['itself', new StorageUnavailable(new Error('gone'))],
  ['a socket that nobody listens at', withCode('ECONNREFUSED')],
  [
    'several addresses, none of which answers',
    new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]),
  ],
  ['a server that is starting up', withCode('57P03')],
  [
    'a server that is starting up, through Prisma',
    withCode('P2039', { meta: { driverAdapterError: { cause: { originalCode: '57P03' } } } }),
  ],
  [
    'a connection that broke, as a cause',
    new Error('outer', { cause: new Error('Connection terminated unexpectedly') }),
  ],
])('%s: away', (_what, error) => {
  expect(isUnavailable(error)).toBe(true);
});

test.each([
  ['a refusal', new DomainFailure('UNKNOWN_PERIOD', 'ETIMEDOUT')],
  ['a row that is there already', withCode('23505')],
  [
    'a row that is there already, through Prisma',
    withCode('P2002', { meta: { driverAdapterError: { cause: { originalCode: '23505' } } } }),
  ],
  ['a broken invariant', new Error('invariant broken: a period has bounds')],
  ['no error at all', null],
])('%s: not away', (_what, error) => {
  expect(isUnavailable(error)).toBe(false);
});
