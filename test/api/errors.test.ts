import { readFileSync } from 'node:fs';
import { bodyIssues } from '../../src/api/plugins/schemas.js';
import { problemCodes, problemOf, RequestRefused, retryAfterSeconds, statusOf } from '../../src/api/problem.js';
import { customerBody } from '../../src/api/schemas/reference.js';
import { DomainFailure, failureCodes } from '../../src/domain/failure.js';

/** `| \`CODE\` | 422 | text |` */
const documented = new Map(
  [...readFileSync('docs/reference/errors.md', 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| (.+) \|$/gm)].map(
    (row) => [row[1] ?? '', { status: Number(row[2]), text: row[3] ?? '' }],
  ),
);

test('every failure code has a status, and a line in docs/reference/errors.md with the same status', () => {
  const statuses = Object.fromEntries(failureCodes.map((code) => [code, problemCodes[code].status]));
  expect(Object.fromEntries([...documented].map(([code, { status }]) => [code, status]))).toEqual(statuses);
});

test('every line says something', () => {
  for (const { text } of documented.values()) expect(text.length).toBeGreaterThan(20);
});

test.each(failureCodes.filter((code) => problemCodes[code].status === 503))('%s tells when to come back', (code) => {
  expect(retryAfterSeconds[code]).toBeGreaterThan(0);
});

test('a thing that the URL names is 404 when unknown; one that the body names is 422', () => {
  expect(statusOf(new DomainFailure('UNKNOWN_PRICE_BOOK', 'no'))).toBe(404);
  expect(statusOf(new DomainFailure('UNKNOWN_PRICE_BOOK', 'no', '/price_book'))).toBe(422);
});

test('a problem lists every place at fault, and the first gives its code', () => {
  const refused = new RequestRefused([
    { pointer: '/a', code: 'UNKNOWN_PROPERTY', detail: 'a' },
    { pointer: '/b', code: 'INVALID_INSTANT', detail: 'b' },
  ]);
  expect(problemOf(refused, 'request-1')).toEqual({
    type: 'urn:reckoner:problem:UNKNOWN_PROPERTY',
    title: 'Unknown property',
    status: 422,
    detail: 'a',
    code: 'UNKNOWN_PROPERTY',
    instance: 'request-1',
    errors: [
      { pointer: '/a', code: 'UNKNOWN_PROPERTY', detail: 'a' },
      { pointer: '/b', code: 'INVALID_INSTANT', detail: 'b' },
    ],
  });
});

test.each<[object, string, RegExp]>([
  [{ name: undefined }, '/name', /^"name" is missing; expected: string\.$/],
  [{ name: '' }, '/name', /^"name": .+\.$/],
  [{ buyer: { email: 5 } }, '/buyer/email', /^"buyer\.email": .+ string.+\.$/],
  [{ currency: 'usd' }, '/currency', /^"usd" is not a current ISO 4217 currency/],
])('the sentence about %j names the property by itself', (fault, pointer, detail) => {
  const { error } = customerBody.safeParse({ name: 'Acme', currency: 'USD', price_book: 'standard', ...fault });
  expect(error?.issues.flatMap(bodyIssues)).toMatchObject([{ pointer, detail: expect.stringMatching(detail) }]);
});
