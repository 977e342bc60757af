/** Legal entities and their number series. */
import { z } from 'zod';
import { legalEntityCodePattern, numberPrefixPattern } from '../../domain/invoicing/legal-entity.js';
import { instantOut, storedText } from './common.js';

export const legalEntityCode = z
  .string()
  .regex(
    legalEntityCodePattern,
    'must be 1 to 64 letters, digits or characters of "_.-", beginning with a letter or digit',
  )
  .meta({ examples: ['acme-de'] });

const seller = {
  name: storedText(256),
  address: storedText(1_000).optional(),
  tax_id: storedText(64).optional(),
  email: storedText(320).optional(),
  street: storedText(256).optional(),
  city: storedText(256).optional(),
  postal_code: storedText(32).optional(),
  region: storedText(128).optional(),
  country_code: z
    .string()
    .regex(/^[A-Z]{2}$/, 'expected two capital letters (ISO 3166-1), such as "DE"')
    .optional()
    .meta({ description: 'E-invoices and tax need it.', examples: ['DE'] }),
  vat_id: storedText(64)
    .optional()
    .meta({ description: 'With its country prefix; e-invoices need it where there is VAT.' }),
  iban: z
    .string()
    .regex(/^[A-Z]{2}\d{2}[A-Z0-9 ]{8,40}$/, 'expected an IBAN, such as "DE02 1203 0000 0000 2020 51"')
    .optional()
    .meta({ description: 'Where it is paid: on its documents and e-invoices.' }),
};

export const legalEntityBody = z.strictObject({
  number_prefix: z
    .string()
    .regex(numberPrefixPattern, 'must be at most 32 capital letters, digits and single hyphens between them')
    .meta({
      description: 'What its numbers begin with; it stays once a number was drawn, and is nobody else’s for ever.',
      examples: ['ACME-DE'],
    }),
  ...seller,
});

const factOut = z.string().optional();
const sellerOut = {
  address: factOut,
  tax_id: factOut,
  email: factOut,
  street: factOut,
  city: factOut,
  postal_code: factOut,
  region: factOut,
  country_code: factOut,
  vat_id: factOut,
  iban: factOut,
} as const satisfies Record<Exclude<keyof typeof seller, 'name'>, typeof factOut>;

export const legalEntity = z
  .object({
    code: z.string(),
    version: z.int(),
    number_prefix: z.string(),
    name: z.string(),
    ...sellerOut,
    defined_by: z.string(),
    defined_at: instantOut,
  })
  .meta({ id: 'LegalEntity' });

export const legalEntityWithVersions = legalEntity
  .extend({ versions: z.array(legalEntity).meta({ description: 'Oldest first; the last one holds.' }) })
  .meta({ id: 'LegalEntityWithVersions' });

export const numberSeriesCheck = z
  .object({
    holds: z.boolean().meta({ description: 'Of every series, 1 to the last number drawn is on one document each.' }),
    series: z.array(
      z.object({
        series: z.string(),
        legal_entity: z.string().nullable().meta({ description: 'null: the numbers belong to no known series.' }),
        type: z.string().nullable(),
        numbers: z.string().meta({ description: 'What its numbers begin with.', examples: ['INV'] }),
        last_number: z.int(),
        documents: z.int(),
        missing: z.int(),
        gaps: z
          .array(z.object({ from: z.int(), to: z.int() }))
          .meta({ description: 'Drawn, and on no document; the first ones. Both numbers belong to the gap.' }),
        duplicates: z.array(z.int()).meta({ description: 'On more than one document, or not to be read (0).' }),
        beyond: z.int().nullable().meta({ description: 'The highest number on a document, where it was never drawn.' }),
        holds: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'NumberSeriesCheck' });
