/** Metadata that meters read with more or less success, for property tests. */
import fc from 'fast-check';

const scalar = fc.constantFrom(
  '"eu"',
  '"us"',
  '""',
  '1.5',
  '1.50',
  '"1.50"',
  '1.0',
  '1e0',
  '"1.0"',
  '-0',
  '0.0',
  'true',
  '"true"',
  'null',
  '[1]',
  '{"eu":1}',
  '"premium"',
  `"it's"`,
);
const value = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '-3',
    '0.10',
    '12.500',
    '99999999999999999999.999999999999999999',
    '-0.0',
    '1e3',
    'null',
    'true',
    '[1]',
    '{}',
  ),
  fc
    .constantFrom(
      '5',
      '-7.25',
      '0.000000000000000001',
      '-0',
      '-0.00',
      '007',
      '1e3',
      '.5',
      '5.',
      '+1',
      ' 1',
      'NaN',
      'Infinity',
      '0x1F',
      '1_000',
      '0b1',
      '0o7',
      '7 ',
      '\t7',
      '7\n',
      '0',
      '00',
      '9223372036854775807',
      '9223372036854775808',
      '-9223372036854775808',
      '-9223372036854775809',
      '१',
      '',
    )
    .map((text) => JSON.stringify(text)),
  fc
    .constantFrom(
      '12345678901234567890.123456789012345678', // 38 digits, 18 places: the limits
      '12345678901234567890.1234567890123456789',
      '123456789012345678901.123456789012345678',
      '-99999999999999999999999999999999999999',
      '999999999999999999999999999999999999999',
      '0.0000000000000000001',
    )
    .map((text) => JSON.stringify(text)),
);
/** Tags as a sender may have sent them while none was registered: what is no object has none. */
const tags = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record(
        { team: scalar, env: fc.constantFrom('"prod"', '"test"', '1.50', 'true', '["prod"]') },
        { requiredKeys: [] },
      )
      .map((entries) => `{${Object.entries(entries).map(([key, text]) => `"${key}":${text}`)}}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('null', '"team"', '7', '["team"]', '[["env","prod"]]', '{"team":{"team":"eu"}}'),
  },
);
/** JSON text of metadata: every kind of value where a text or a decimal is read. */
export const metadataJson = fc
  .record(
    {
      region: scalar,
      tier: scalar,
      bytes: value,
      tags,
      'tags.team': scalar, // no tag: a property of this name is not read
      [`it's "quoted"`]: value,
      [`'; DROP TABLE meters --`]: scalar,
    },
    { requiredKeys: [] },
  )
  .map(
    (entries) =>
      `{${Object.entries(entries)
        .map(([key, text]) => `${JSON.stringify(key)}:${text}`)
        .join(',')}}`,
  );
