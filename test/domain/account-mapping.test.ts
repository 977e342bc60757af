import { mappingOf, requireMapped } from '../../src/domain/ledger/account-mapping.js';
import type { AccountMapping } from '../../src/domain/ledger/account-mapping.js';
import type { LocalDate } from '../../src/domain/values.js';

const row = (externalAccount: string, product: string | null = null, from: string | null = null): AccountMapping => ({
  ...{ account: 'revenue', product, externalAccount },
  effectiveFrom: from as LocalDate | null,
});
const on = (postingDate: string, product: string | null = 'calls', account = 'revenue') => ({
  ...{ account, product },
  postingDate: postingDate as LocalDate,
});

test('the product before the default, the later date before the earlier, the row learned last before its equal', () => {
  const accountOf = mappingOf([
    row('8000'),
    row('8400', 'calls', '2024-02-01'),
    row('8100', null, '2024-03-01'),
    row('8401', 'calls', '2024-02-01'),
    row('8399', 'calls', '2024-01-15'),
  ]);
  expect(accountOf(on('2024-01-14'))).toBe('8000');
  expect(accountOf(on('2024-01-15'))).toBe('8399');
  expect(accountOf(on('2024-02-01'))).toBe('8401');
  expect(accountOf(on('2024-05-01'))).toBe('8401');
  expect(accountOf(on('2024-05-01', 'seats'))).toBe('8100');
  expect(accountOf(on('2024-02-28', null))).toBe('8000');
  expect(accountOf(on('2024-05-01', null, 'cash'))).toBeNull();
});

test('what is not mapped is named, each once, the first ones', () => {
  const accountOf = mappingOf([row('8400', 'calls', '2024-02-01')]);
  const name = (postings: Parameters<typeof requireMapped>[2]) => () => {
    requireMapped('datev', accountOf, postings);
  };
  expect(name([on('2024-02-01')])).not.toThrow();
  expect(name([on('2024-01-31'), on('2024-01-31'), on('2024-02-01', null)])).toThrow(
    'Mapping "datev" has nothing for account revenue, product "calls", on 2024-01-31; account revenue on 2024-02-01. Add it',
  );
  const many = Array.from({ length: 8 }, (_, index) => on('2024-01-01', `p${index}`));
  expect(name(many)).toThrow(/p4", on 2024-01-01 and 3 more\./);
});
