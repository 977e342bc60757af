/** Exchange rates. */
import { z } from 'zod';
import { rateSourcePattern } from '../../domain/money/parse-rates.js';
import {
  dateOut,
  decimalOut,
  instantOut,
  isStorableText,
  localDate,
  pageOf,
  paging,
  unstorableText,
} from './common.js';

export const rateSource = z
  .string()
  .regex(rateSourcePattern, 'must be 1 to 64 lower-case letters, digits, ".", "_" or "-"')
  .meta({ description: 'Who published the rate: `ecb`, or a name of one’s own.', examples: ['ecb'] });

const code = z
  .string()
  .max(64)
  .meta({ examples: ['EUR'] });

/** What is only looked for may be any text that there could be. */
const searched = z.string().max(64).refine(isStorableText, unstorableText).optional();

/** What a rate may be is the domain's: parse-rates.ts. */
export const exchangeRatesBody = z.strictObject({
  source: rateSource,
  rates: z
    .array(
      z.strictObject({
        base: code,
        quote: code.meta({ examples: ['USD'] }),
        date: z.string().max(64).meta({ format: 'date', description: 'The day of publication.' }),
        rate: z
          .string()
          .max(64)
          .meta({ description: 'One unit of `base` is so many of `quote`.', examples: ['1.0837'] }),
      }),
    )
    .min(1)
    .max(10_000)
    .meta({ description: 'All of them are stored, or none.' }),
});

export const importedRates = z
  .object({
    source: z.string(),
    added: z.int(),
    changed: z
      .int()
      .meta({ description: 'Another rate was known for the pair and day; the new one holds for what is not issued.' }),
    unchanged: z.int(),
  })
  .meta({ id: 'ImportedRates' });

const exchangeRate = z
  .object({
    source: z.string(),
    base: z.string(),
    quote: z.string(),
    date: dateOut,
    rate: decimalOut,
    imported_by: z.string(),
    learned_at: instantOut,
  })
  .meta({ id: 'ExchangeRate' });
export const exchangeRatePage = pageOf(exchangeRate);

export const exchangeRatesQuery = z.strictObject({
  source: searched,
  base: searched.meta({ examples: ['EUR'] }),
  quote: searched.meta({ examples: ['USD'] }),
  on: localDate
    .optional()
    .meta({ description: 'Of each source and pair the one published last on or before that day.' }),
  ...paging,
});

/** A rate as it was applied: of a charge's explanation, and pinned by documents. */
export const appliedRate = z.object({
  from: z.string(),
  to: z.string(),
  rate: decimalOut,
  rate_date: dateOut,
  source: z.string(),
  inputs: z
    .array(z.object({ base: z.string(), quote: z.string(), rate: decimalOut }))
    .meta({ description: 'The published rates that it was made of.' }),
});
