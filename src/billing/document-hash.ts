import { createHash } from 'node:crypto';
import { invoiceHashInput } from '../domain/invoicing/hash-input.js';
import type { HashedInvoice } from '../domain/invoicing/hash-input.js';
import { canonicalJson } from '../storage/canonical-json.js';

/** SHA-256 (hex) of the document's canonical JSON (RFC 8785), without number, positions and clock instants (DESIGN 1). */
export function documentHash(invoice: HashedInvoice): string {
  return createHash('sha256')
    .update(canonicalJson(invoiceHashInput(invoice)))
    .digest('hex');
}
