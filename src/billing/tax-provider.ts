/** The tax provider that the configuration names. */
import { readFileSync } from 'node:fs';
import { DomainFailure } from '../domain/failure.js';
import { parseTaxTable } from '../domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../domain/tax/table-provider.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import type { TaxProvider } from '../domain/tax/tax.js';

export type TaxSettings = { readonly kind: 'none' } | { readonly kind: 'table'; readonly tableFile: string };

/** Throws an error that names the file and the place in it when it cannot be read, or is no tax table. */
export function taxProviderOf(settings: TaxSettings = { kind: 'none' }): TaxProvider {
  if (settings.kind === 'none') return noTaxProvider;
  const { tableFile } = settings;
  try {
    return tableTaxProvider(parseTaxTable(JSON.parse(readFileSync(tableFile, 'utf8')) as unknown));
  } catch (error) {
    const isOurs = error instanceof DomainFailure;
    const place = isOurs && error.pointer !== undefined && error.pointer !== '' ? `${error.pointer}: ` : '';
    const why = isOurs ? `${place}${error.detail}` : String(error);
    throw new Error(`RECKONER_TAX_TABLE: ${tableFile} is not a tax table: ${why}`, { cause: error });
  }
}
