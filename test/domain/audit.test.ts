import { anchorLine, parseAnchor } from '../../src/domain/audit/anchors.js';
import type { Anchor } from '../../src/domain/audit/anchors.js';
import {
  blockText,
  changeText,
  checkpointText,
  commitmentText,
  entryText,
  isErased,
  rowText,
} from '../../src/domain/audit/texts.js';
import { canonicalJson } from '../../src/storage/canonical-json.js';

/** The texts must be what RFC 8785 makes of the same members. */
const isCanonical = (text: string): boolean => canonicalJson(JSON.parse(text)) === text;

test('a row is its columns in order; what is null is left out; its personal data is a commitment at the end', () => {
  const row = { amount: '12.50', note: null, name: 'Jane "J"\n', at: '2024-01-01T00:00:00.000000Z' };
  expect(rowText(row, ['amount', 'at', 'note'])).toBe('{"amount":"12.50","at":"2024-01-01T00:00:00.000000Z"}');
  expect(rowText(row, ['amount', 'note'], 'ab')).toBe('{"amount":"12.50","~personal":"ab"}');
  expect(rowText(row, ['note'], 'ab')).toBe('{"~personal":"ab"}');
  expect(commitmentText('salt', row, ['name'])).toBe('salt{"name":"Jane \\"J\\"\\n"}');
  expect(isCanonical(rowText(row, ['amount', 'at', 'name'], 'ab'))).toBe(true);
});

test('personal data is erased when nothing of it is left', () => {
  expect(isErased({ name: '', buyer: '{}', tax: null }, ['name', 'buyer', 'tax'])).toBe(true);
  expect(isErased({ name: '', buyer: '{"name": "x"}' }, ['name', 'buyer'])).toBe(false);
});

test('changes, entries, blocks and checkpoints are canonical, whatever is in them', () => {
  const change = {
    scope: 'customer/"é',
    table: 't',
    layout: 2,
    kind: 'insert',
    rowKeys: ['["1"]'],
    rowDigests: ['aa'],
  } as const;
  expect(isCanonical(changeText({ ...change, actor: 'ann' }))).toBe(true);
  expect(changeText({ ...change, actor: null })).not.toContain('actor');
  const entry = { scope: 's', sequence: 1, at: 'x', previousHash: '', changes: ['aa'] };
  expect(isCanonical(entryText({ ...entry, actor: 'ann' }))).toBe(true);
  expect(isCanonical(entryText({ ...entry, actor: null }))).toBe(true);
  const layouts = { telemetry_events: 1, backfill_decisions: 2 };
  const block = { block: 1, from: '0', to: '9', facts: 3, content: 'cc', at: 'x', previousHash: '' };
  expect(isCanonical(blockText({ ...block, layouts }))).toBe(true);
  const heads = [{ scope: 's', sequence: 1, hash: 'aa' }];
  const checkpoint = { checkpoint: 1, at: 'x', heads, previousHash: '' };
  expect(isCanonical(checkpointText({ ...checkpoint, block: null }))).toBe(true);
  expect(isCanonical(checkpointText({ ...checkpoint, block: { number: 1, hash: 'bb' } }))).toBe(true);
});

test('an anchor is read back as it was written; what is no anchor is none', () => {
  const anchor: Anchor = {
    checkpoint: 7,
    at: '2024-01-01T00:00:00.000000Z',
    block: { number: 2, hash: 'bb' },
    heads: [{ scope: 'customer/a', sequence: 3, hash: 'aa' }],
    previousHash: '',
    hash: 'cc',
    keyId: '0123456789abcdef',
    publicKey: 'pem',
    signature: 'AA==',
  };
  const line = anchorLine(anchor);
  expect(parseAnchor(line)).toEqual(anchor);
  expect(parseAnchor(anchorLine({ ...anchor, block: null }))).toEqual({ ...anchor, block: null });
  for (const broken of [
    '',
    'null',
    '[]',
    line.slice(0, -9),
    line.replace('"heads":[[', '"heads":[[7,'),
    line.replace('"number":2', '"number":"2"'),
  ])
    expect(parseAnchor(broken)).toBeNull();
});
