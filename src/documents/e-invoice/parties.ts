/** Seller and buyer, and what of them EN 16931 misses. */
import type { Party } from '../../domain/invoicing/invoice.js';
import type { CategoryCode } from './tax-categories.js';

export type EInvoiceSyntax = 'ubl' | 'cii' | 'factur-x';

interface PartyRole {
  readonly who: 'seller' | 'buyer';
  readonly syntax: EInvoiceSyntax;
  readonly categories: ReadonlySet<CategoryCode>;
  /** Who issued the document; undefined: the seller of the configuration. */
  readonly legalEntity?: string | undefined;
}

/** Of a seller that names no VAT identifier, what identifies it (BR-CO-26). */
const sellerIdOf = ({ tax_id: taxId, vat_id: vatId }: Party): string | undefined => taxId ?? vatId;

const setting = {
  country_code: 'RECKONER_SELLER_COUNTRY',
  vat_id: 'RECKONER_SELLER_VAT_ID',
  email: 'RECKONER_SELLER_EMAIL',
  tax_id: 'RECKONER_SELLER_TAX_ID',
} as const;

/** Where a fact is said, for the documents that are issued from then on. */
function placeOf(name: keyof typeof setting, { who, legalEntity }: Pick<PartyRole, 'who' | 'legalEntity'>): string {
  if (who === 'buyer') return `"buyer": {"${name}": …} of the customer`;
  return legalEntity === undefined ? setting[name] : `"${name}" of PUT /legal-entities/${legalEntity}`;
}

/** Every fact that is missing, with where to say it. */
export function missingFacts(party: Party, role: PartyRole): readonly string[] {
  const { who, syntax, categories } = role;
  const isTaxed = (['S', 'Z', 'E', 'AE'] as const).some((code) => categories.has(code));
  const needed = [
    ['country_code', true, who === 'seller' ? 'BT-40' : 'BT-55'],
    ['vat_id', who === 'seller' ? isTaxed : categories.has('AE'), who === 'seller' ? 'BT-31' : 'BT-48'],
    ['email', syntax === 'ubl', who === 'seller' ? 'BT-34' : 'BT-49'],
  ] as const;
  const isUnidentified = who === 'seller' && categories.has('O') && sellerIdOf(party) === undefined;
  return [
    ...needed
      .filter(([name, isNeeded]) => isNeeded && (party[name] ?? '') === '')
      .map(([name, , term]) => `${who}.${name} (${term}; ${placeOf(name, role)})`),
    ...(isUnidentified ? [`seller.tax_id (BT-29; ${placeOf('tax_id', role)})`] : []),
  ];
}

/** `cac:Party`. A document outside the scope of VAT names no VAT identifier (BR-O-02 to 04). */
export function partyOf(party: Party, { who, categories }: Pick<PartyRole, 'who' | 'categories'>): object {
  const vatId = categories.has('O') ? undefined : party.vat_id;
  const taxScheme = vatId === undefined ? undefined : { 'cbc:CompanyID': vatId, 'cac:TaxScheme': { 'cbc:ID': 'VAT' } };
  const name = party.name;
  return {
    ...(party.email !== undefined && { 'cbc:EndpointID': party.email, 'cbc:EndpointID@schemeID': 'EM' }),
    ...(who === 'seller' && categories.has('O') && { 'cac:PartyIdentification': [{ 'cbc:ID': sellerIdOf(party) }] }),
    'cac:PartyName': { 'cbc:Name': name },
    'cac:PostalAddress': {
      ...addressOf(party),
      'cac:Country': { 'cbc:IdentificationCode': party.country_code },
    },
    ...(taxScheme !== undefined && { 'cac:PartyTaxScheme': who === 'seller' ? [taxScheme] : taxScheme }),
    'cac:PartyLegalEntity': { 'cbc:RegistrationName': name },
    ...(party.email !== undefined && { 'cac:Contact': { 'cbc:ElectronicMail': party.email } }),
  };
}

/** Its parts, where they are known; else the first lines of what is printed. */
function addressOf({ street, city, postal_code: zip, region, address = '' }: Party): object {
  if (street !== undefined || city !== undefined || zip !== undefined) {
    return {
      ...(street !== undefined && { 'cbc:StreetName': street }),
      ...(city !== undefined && { 'cbc:CityName': city }),
      ...(zip !== undefined && { 'cbc:PostalZone': zip }),
      ...(region !== undefined && { 'cbc:CountrySubentity': region }),
    };
  }
  const [first, second, ...others] = address
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return {
    ...(first !== undefined && { 'cbc:StreetName': first }),
    ...(second !== undefined && { 'cbc:AdditionalStreetName': second }),
    ...(region !== undefined && { 'cbc:CountrySubentity': region }),
    ...(others.length > 0 && { 'cac:AddressLine': { 'cbc:Line': others.join(', ') } }),
  };
}
