import type { SourceRow } from '../../src/cli/import/rows.js';
import { compileTemplate, MissingColumn } from '../../src/cli/import/template.js';

const row = (number: number, columns: Record<string, string> = {}): SourceRow => ({
  number,
  column: (name) => columns[name],
  value: (name) => columns[name],
  problem: null,
});
const csv = { columns: ['model', 'row count'], fingerprint: 'f00d' };

describe('templates', () => {
  it.each([
    ['plain', 'plain'],
    ['cust_{row}', 'cust_40'],
    ['cust_{row%20}', 'cust_0'],
    ['cust_{row%7}', 'cust_5'],
    ['{fingerprint}-{row}', 'f00d-40'],
    ['{model}/{row count}', 'gpt/12'],
    ['{{{model}}}', '{gpt}'],
    ['', ''],
  ])('%p gives %p in row 40', (text, expected) => {
    const template = compileTemplate(text, '--option', csv);
    expect(template(row(40, { model: 'gpt', 'row count': '12' }))).toBe(expected);
  });

  it('count data rows from 1, so that modulo 20 gives 1 to 19, then 0', () => {
    const template = compileTemplate('{row%20}', '--customer', csv);
    expect([1, 19, 20, 21].map((number) => template(row(number)))).toEqual(['1', '19', '0', '1']);
  });

  it.each(['{nothing}', '{row%0}', '{row%x}', '{}'])('refuses %p: no such column', (text) => {
    expect(() => compileTemplate(text, '--customer', csv)).toThrow(
      /--customer: the file has no column .* model, row count/,
    );
  });

  it.each(['{model', 'model}', '{a{b}'])('refuses the unpaired brace in %p', (text) => {
    expect(() => compileTemplate(text, '--event-id', csv)).toThrow('--event-id: unpaired');
  });

  it('finds out row by row where rows differ in their columns', () => {
    const template = compileTemplate('{model}', '--event-type', { columns: null, fingerprint: 'f00d' });
    expect(template(row(1, { model: 'a' }))).toBe('a');
    expect(() => template(row(2))).toThrow(MissingColumn);
  });
});
