import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { caseJsonSchema, CaseFormatError, checkCase } from '../../src/cases/format.js';

const valid = (): Record<string, unknown> => ({
  name: 'a case',
  customer: { currency: 'USD' },
  meters: [{ code: 'calls', event_type: 'call', aggregation: 'count' }],
  price_books: [{ code: 'standard', version: 'v1' }],
  steps: [{ close_period: '2024-01' }],
});
const withStep = (step: unknown): Record<string, unknown> => ({ ...valid(), steps: [step] });

function problemsOf(value: unknown): readonly string[] {
  try {
    checkCase(value);
  } catch (error) {
    if (error instanceof CaseFormatError) return error.problems;
    throw error;
  }
  return [];
}

const schema = caseJsonSchema();
const followsSchema = new Ajv2020().compile(schema as object);

test('the schema file is the one that the format gives', () => {
  expect(JSON.parse(readFileSync(join(__dirname, 'case.schema.json'), 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(schema)),
  );
});

test('a case is accepted, by the format and by the schema', () => {
  expect(problemsOf(valid())).toEqual([]);
  expect(followsSchema(valid())).toBe(true);
});

test.each<[string, unknown, string]>([
  ['unknown property', { ...valid(), step: [] }, 'the case: '],
  ['misspelt expectation', withStep({ expect_invoice: { period: '2024-01', totel: '1' } }), 'steps.0.expect_invoice: '],
  ['unknown step', withStep({ close: '2024-01' }), 'steps.0: '],
  [
    'two steps in one',
    withStep({ close_period: '2024-01', re_rate: { period: '2024-01', reason: 'manual' } }),
    'steps.0: ',
  ],
  ['an empty step', withStep({}), 'steps.0: '],
  ['a period that is none', withStep({ close_period: 'January' }), 'steps.0.close_period: '],
  [
    'an amount as a number',
    withStep({ expect_invoice: { period: '2024-01', total: 118.72 } }),
    'steps.0.expect_invoice.total: ',
  ],
  ['an unknown reason', withStep({ re_rate: { period: '2024-01', reason: 'mood' } }), 'steps.0.re_rate.reason: '],
  [
    'a refused expectation',
    withStep({ expect_refusal: { step: { expect_invoice: { period: '2024-01' } }, code: 'X' } }),
    'steps.0.expect_refusal.step: ',
  ],
  ['no meters', { ...valid(), meters: [] }, 'meters: '],
  [
    'an aggregation that does not exist',
    { ...valid(), meters: [{ code: 'c', event_type: 'c', aggregation: 'mean' }] },
    'meters.0.aggregation: ',
  ],
  ['no steps', { ...valid(), steps: [] }, 'steps: '],
  ['no object at all', [], 'the case: '],
])('refuses %s, and says where', (_name, value, place) => {
  const problems = problemsOf(value);
  expect(problems.filter((problem) => problem.startsWith(place))).not.toEqual([]);
  expect(followsSchema(value)).toBe(false);
});

test('every wrong place is named', () => {
  expect(
    problemsOf({ ...valid(), name: '', steps: [{ close_period: 'x' }, { expect_usage: {} }] }).length,
  ).toBeGreaterThanOrEqual(3);
});
