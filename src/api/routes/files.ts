/** Documents sent as files. */
import { z } from 'zod';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EInvoiceFormat, RenderedFile } from '../services/invoice-documents.js';

const file = z.any().meta({ type: 'string', format: 'binary' });

/** What `sendPdf` answers. */
export const pdfAnswers = {
  200: { description: 'The document; the same bytes every time.', schema: file, mediaType: 'application/pdf' },
  304: { description: 'Not modified.', schema: z.undefined() },
} as const;

/** What `sendEInvoice` answers. */
export const eInvoiceAnswers = {
  200: {
    description: 'application/xml; for `factur-x` application/pdf. The same bytes every time.',
    schema: file,
    mediaType: 'application/xml',
  },
} as const;

const eInvoiceMediaTypes = {
  ubl: 'application/xml',
  cii: 'application/xml',
  'factur-x': 'application/pdf',
} as const satisfies Record<EInvoiceFormat, string>;
const eInvoiceEndings = { ubl: '.ubl.xml', cii: '.cii.xml', 'factur-x': '.factur-x.pdf' } as const satisfies Record<
  EInvoiceFormat,
  string
>;

/** 304 where the client has these bytes already. */
export function sendPdf(
  request: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  { name, file: { bytes, sha256 } }: { readonly name: string; readonly file: RenderedFile },
): FastifyReply {
  const etag = `"${Buffer.from(sha256, 'hex').toString('base64url')}"`;
  reply.header('etag', etag).header('cache-control', 'private, no-cache');
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  return reply.type('application/pdf').header('content-disposition', `inline; filename="${name}.pdf"`).send(bytes);
}

export function sendEInvoice(
  reply: FastifyReply,
  { name, format, bytes }: { readonly name: string; readonly format: EInvoiceFormat; readonly bytes: Uint8Array },
): FastifyReply {
  return reply
    .type(eInvoiceMediaTypes[format])
    .header('content-disposition', `attachment; filename="${name}${eInvoiceEndings[format]}"`)
    .send(bytes);
}
