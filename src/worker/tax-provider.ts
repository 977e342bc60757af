/** The tax provider that the configuration names. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config.js';
import type { Config } from '../config.js';
import { DomainFailure } from '../domain/failure.js';
import { parseTaxTable } from '../domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../domain/tax/table-provider.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import type { TaxProvider } from '../domain/tax/tax.js';

/** @throws ConfigError when the file cannot be read, or is no tax table */
export function taxProviderOf({ taxProvider = { kind: 'none' } }: Partial<Pick<Config, 'taxProvider'>>): TaxProvider {
  if (taxProvider.kind === 'none') return noTaxProvider;
  const { tableFile } = taxProvider;
  try {
    return tableTaxProvider(parseTaxTable(JSON.parse(readFileSync(tableFile, 'utf8')) as unknown));
  } catch (error) {
    const why =
      error instanceof DomainFailure
        ? `${error.pointer === undefined || error.pointer === '' ? '' : `${error.pointer}: `}${error.detail}`
        : String(error);
    throw new ConfigError([`RECKONER_TAX_TABLE: ${tableFile} is not a tax table: ${why}`]);
  }
}
