import { actorOf } from '../../src/api/plugins/actor.js';
import { DomainFailure } from '../../src/domain/failure.js';

const token = 'Bearer sk_live_1';

test('is who the header names, else whom the token belongs to, else nobody', () => {
  expect(actorOf({ 'x-reckoner-actor': ' ada@acme.example ', authorization: token })).toBe('ada@acme.example');
  expect(actorOf({ 'x-reckoner-actor': 'Jörg' })).toBe('Jörg');
  expect(actorOf({ authorization: token })).toMatch(/^key:[0-9a-f]{12}$/);
  expect(actorOf({ authorization: 'Basic abc' })).toBe('anonymous');
  expect(actorOf({})).toBe('anonymous');
});

test('the fingerprint tells tokens apart and gives none away', () => {
  expect(actorOf({ authorization: token })).toBe(actorOf({ authorization: token.replace('Bearer', 'bearer ') }));
  expect(actorOf({ authorization: token })).not.toBe(actorOf({ authorization: `${token}2` }));
  expect(actorOf({ authorization: token })).not.toContain('sk_live');
});

test.each(['', ' ', 'x'.repeat(129), 'a\u0007b', 'a\u2028b', 'reckoner', 'reconciliation', 'key:0123456789ab'])(
  '%j is nobody’s name',
  (name) => {
    expect(() => actorOf({ 'x-reckoner-actor': name })).toThrow(DomainFailure);
  },
);
