/** A tax provider as one elsewhere would be: it may be away, deaf, or refuse a document. */
import { createActivities } from '../../src/activities/index.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../../src/domain/tax/table-provider.js';
import { TaxUnavailable } from '../../src/domain/tax/tax.js';
import type { TaxedDocument, TaxProvider } from '../../src/domain/tax/tax.js';
import { createActivityFixture, issuedAt, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture } from './re-rating-fixture.js';

export const rates = (rate: string, per: 'document' | 'line' = 'document') =>
  parseTaxTable({ per, rates: [{ country: 'DE', category: 'standard', rate, from: '2020-01-01' }] });

/** Rates of a table; counts what it is told, by document and action. */
export class RemoteProvider implements TaxProvider {
  readonly name = 'remote';
  readonly reports = true;
  readonly told = new Map<string, number>();
  readonly refused = new Set<string>();
  /** Those that were credits. */
  readonly documents: TaxedDocument[] = [];
  table = rates('19');
  down = false;
  deaf = false;

  async quote(question: Parameters<TaxProvider['quote']>[0]) {
    if (this.down) throw new TaxUnavailable('TAX_UNAVAILABLE', 'The tax provider does not answer.');
    const quote = await tableTaxProvider(this.table).quote(question);
    return quote === null ? null : { ...quote, terms: { ...quote.terms, provider: this.name } };
  }
  commit = (document: TaxedDocument) => this.tell('commit', document);
  credit = (document: TaxedDocument) => this.tell('credit', document);
  void = (document: TaxedDocument) => this.tell('void', document);

  private tell(action: string, document: TaxedDocument): Promise<string> {
    const { documentId } = document;
    if (this.deaf || this.refused.has(documentId)) return Promise.reject(new Error('no connection'));
    if (action === 'credit') this.documents.push(document);
    const key = `${action} ${documentId}`;
    this.told.set(key, (this.told.get(key) ?? 0) + 1);
    return Promise.resolve(`ref ${key}`);
  }
}

export const german = { buyer: { country_code: 'DE' }, tags: { team: 'blue', region: 'all' } };

export interface TaxedFixture {
  readonly fixture: ActivityFixture;
  readonly provider: RemoteProvider;
  readonly re: ReRatingFixture;
}

/** Activities that ask such a provider. */
export async function createTaxedFixture(): Promise<TaxedFixture> {
  const made = await createActivityFixture();
  const provider = new RemoteProvider();
  const { storage, client } = made;
  const activities = createActivities({ storage, client, settings, now: () => issuedAt, tax: provider });
  const fixture = { ...made, activities };
  return { fixture, provider, re: new ReRatingFixture(fixture) };
}
