import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli } from './support/stub-api.js';

interface Oracle {
  readonly rows: number;
  readonly months: readonly {
    readonly period: string;
    readonly total: string;
    readonly customers: readonly {
      readonly customer_id: string;
      readonly lines: readonly { readonly meter: string; readonly quantity: string; readonly amount: string }[];
      readonly total: string;
    }[];
  }[];
}

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'reckoner-oracle-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const script = (name: string, ...args: string[]): string =>
  execFileSync(process.execPath, [`test/oracle/${name}.mjs`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

function oracleOf(lines: readonly string[], ...args: string[]): Oracle {
  const path = join(folder, 'hand.csv');
  writeFileSync(path, ['TIMESTAMP,ContextTokens,GeneratedTokens', ...lines].join('\r\n'));
  return JSON.parse(script('llm-trace-oracle', path, ...args)) as Oracle;
}

describe('the oracle', () => {
  it('prices by tiers and rounds half to even, as worked out by hand', () => {
    const [month] = oracleOf(['2023-11-16 18:15:46.6805900,1500000,250000']).months;
    // 1,000,000 × 0.000003 + 500,000 × 0.0000025 = 4.25; 200,000 × 0.000015 + 50,000 × 0.000012 = 3.60
    expect(month?.customers).toEqual([
      {
        customer_id: 'llm_customer_1',
        events: 1,
        lines: [
          { meter: 'input_tokens', quantity: '1500000', amount: '4.25' },
          { meter: 'output_tokens', quantity: '250000', amount: '3.60' },
        ],
        total: '7.85',
      },
    ]);
  });

  it.each([
    // 5,000 × 0.000003 = 0.015, 15,000 × 0.000003 = 0.045: ties go to the even cent
    ['5000', '0.02'],
    ['15000', '0.04'],
    ['15001', '0.05'],
    ['4999', '0.01'],
    ['1000000', '3.00'],
    ['1002000', '3.00'],
    ['1006000', '3.02'],
  ])('rounds the amount of %s input tokens to %s', (tokens, amount) => {
    const [month] = oracleOf([`2023-11-16 00:00:00.0000000,${tokens},0`]).months;
    expect(month?.customers[0]?.lines[0]).toMatchObject({ quantity: tokens, amount });
  });

  it('gives row 20 to customer 0, row 21 to customer 1 again, and each month its own invoices', () => {
    const lines = Array.from({ length: 21 }, (_, i) => `2023-${i < 20 ? '11' : '12'}-01 00:00:00.0000000,10000,0`);
    const oracle = oracleOf(lines, '--prefix', 'c');
    expect(oracle.months.map(({ period, total, customers }) => [period, total, customers.length])).toEqual([
      ['2023-11', '0.60', 20],
      ['2023-12', '0.03', 1],
    ]);
    expect(oracle.months[1]?.customers[0]?.customer_id).toBe('c1');
  });

  it('refuses a file of another shape', () => {
    expect(() => oracleOf(['16.11.2023,1,2'])).toThrow('not a line of a trace');
  });
});

describe('the generator', () => {
  it('gives the same bytes for the same seed, in order of time, and other ones for another', () => {
    const first = script('generate-llm-trace', '--rows', '500', '--seed', '7');
    expect(script('generate-llm-trace', '--rows', '500', '--seed', '7')).toBe(first);
    expect(script('generate-llm-trace', '--rows', '500', '--seed', '8')).not.toBe(first);
    const lines = first.split('\r\n');
    expect(lines).toHaveLength(501);
    expect(lines.slice(1)).toEqual(lines.slice(1).sort());
    expect(lines[1]).toMatch(/^2023-11-01 \d{2}:\d{2}:\d{2}\.\d{7},[1-9]\d*,[1-9]\d*$/);
  });

  it('writes what the import and the oracle both read, customer for customer', async () => {
    const path = join(folder, 'trace.csv');
    script('generate-llm-trace', '--rows', '400', '--seed', '3', '--days', '45', '--out', path);
    const oracle = JSON.parse(script('llm-trace-oracle', path)) as Oracle;
    expect(oracle.rows).toBe(400);
    const mapping = [
      '--customer',
      'llm_customer_{row%20}',
      '--event-type',
      'llm_request',
      '--time',
      'TIMESTAMP',
      '--assume-utc',
    ];
    const values = ['--value', 'input_tokens=ContextTokens', '--value', 'output_tokens=GeneratedTokens'];
    const { out } = await cli(['import', path, ...mapping, ...values, '--dry-run', '--limit', '400']);
    const sums = new Map<string, bigint>();
    for (const line of out.trim().split('\n')) {
      const event = JSON.parse(line) as { customer_id: string; event_time: string; metadata: Record<string, string> };
      for (const [meter, tokens] of Object.entries(event.metadata)) {
        const key = `${event.event_time.slice(0, 7)} ${event.customer_id} ${meter}`;
        sums.set(key, (sums.get(key) ?? 0n) + BigInt(tokens));
      }
    }
    const expected = oracle.months.flatMap(({ period, customers }) =>
      customers.flatMap(({ customer_id: customer, lines }) =>
        lines.map(({ meter, quantity }) => [`${period} ${customer} ${meter}`, BigInt(quantity)] as const),
      ),
    );
    expect(sums).toEqual(new Map(expected));
  });
});
