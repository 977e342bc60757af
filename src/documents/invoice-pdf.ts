/** Draws an invoice as an A4 PDF. The same invoice and options give the same bytes, on any machine, at any time. */
import PDFDocument from 'pdfkit';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { DomainFailure } from '../domain/failure.js';
import { formatDay, dayOf } from './format.js';
import { embedFacturX, escapeMetadata } from './factur-x.js';
import { invoiceContent } from './invoice-content.js';
import type { InvoiceContent, InvoiceDocumentOptions } from './invoice-content.js';
import { drawTable } from './table.js';
import { ascent, colors, contentWidth, Page, page, styles } from './page.js';
import { Typesetter } from './typesetter.js';

export interface InvoicePdfOptions extends InvoiceDocumentOptions {
  /** Paths of TrueType or OpenType files for scripts that Noto Sans lacks (Chinese, Arabic), tried in order. */
  readonly extraFonts?: readonly string[];
  /** The document as CII XML: it becomes a Factur-X file, PDF/A-3 with the XML embedded. */
  readonly facturX?: string;
}

const charactersShown = 10;

/**
 * The invoice as a PDF. Throws when a font file cannot be read.
 * @throws DomainFailure TEXT_NOT_PRINTABLE naming the characters that no font has: nobody gets a document with empty boxes
 */
export async function renderInvoicePdf(invoice: Invoice, options: InvoicePdfOptions = {}): Promise<Buffer> {
  const content = invoiceContent(invoice, options);
  const issued = new Date(invoice.issuedAt);
  const doc = new PDFDocument({
    size: 'A4',
    margin: 0,
    bufferPages: true,
    pdfVersion: '1.7',
    lang: content.labels.language,
    displayTitle: true,
    tagged: true,
    ...(options.facturX !== undefined && { subset: 'PDF/A-3b' as const }),
    info: {
      Title: content.reference,
      Author: invoice.seller.name,
      Subject: `${formatDay(dayOf(invoice.periodStart, invoice.timeZone))}, ${invoice.customerId}`,
      Creator: 'Reckoner',
      Producer: 'Reckoner',
      CreationDate: issued,
      ModDate: issued,
    },
  });
  escapeMetadata(doc);
  if (options.facturX !== undefined) embedFacturX(doc, options.facturX, issued);
  const finished = collect(doc);
  const typesetter = new Typesetter(doc, options.extraFonts);
  const sheet = new Page(doc, typesetter, content);
  drawHead(sheet, content);
  drawTable(sheet, content);
  drawTotals(sheet, content);
  drawNotes(sheet, content);
  drawFeet(sheet, content);
  doc.end();
  const bytes = await finished;
  requirePrinted(typesetter, content);
  return bytes;
}

function requirePrinted({ missing }: Typesetter, { reference }: InvoiceContent): void {
  if (missing.length === 0) return;
  const shown = missing.slice(0, charactersShown).map((character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return `${character} (U+${code})`;
  });
  const more = missing.length > shown.length ? ` and ${missing.length - shown.length} more` : '';
  throw new DomainFailure(
    'TEXT_NOT_PRINTABLE',
    `No font has ${shown.join(', ')}${more}, which ${reference} needs. Name a font file that has them in RECKONER_PDF_FONTS.`,
  );
}

function collect(doc: PDFKit.PDFDocument): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    doc.on('data', (chunk: Buffer) => chunks.push(chunk));
    doc.on('end', () => resolve(Buffer.concat(chunks)));
    doc.on('error', reject);
  });
}

/** Seller and title, buyer and facts, and the sentence a reader looks for first. */
function drawHead(sheet: Page, content: InvoiceContent): void {
  const column = contentWidth / 2 - 12;
  const right = page.left + contentWidth;
  const top = sheet.y;
  const [sellerName = '', ...sellerRest] = content.seller;
  const seller = sheet.block([sellerName], { x: page.left, y: top + 4, width: column, style: styles.partyName });
  const leftEnd = sheet.block(sellerRest, { x: page.left, y: seller, width: column, style: styles.muted });
  const { title, mark } = content;
  sheet.tagged('H1', () => sheet.text.draw(title, { x: right, y: top + 22, align: 'right' }, styles.title));
  if (mark !== null) {
    sheet.tagged('P', () => sheet.text.draw(mark, { x: right, y: top + 42, align: 'right' }, styles.mark));
  }

  const second = Math.max(leftEnd, top + 44) + 22;
  const label = sheet.block([content.labels.billTo], { x: page.left, y: second, width: column, style: styles.label });
  const [buyerName = '', ...buyerRest] = content.buyer;
  const buyer = sheet.block([buyerName], { x: page.left, y: label + 2, width: column, style: styles.strong });
  const buyerEnd = sheet.block(buyerRest, { x: page.left, y: buyer, width: column, style: styles.normal });
  const factsEnd = drawFacts(sheet, content, second);

  sheet.y = Math.max(buyerEnd, factsEnd) + 18;
  drawSummary(sheet, content.summary);
}

function drawFacts(sheet: Page, content: InvoiceContent, top: number): number {
  const left = page.left + contentWidth / 2 + 12;
  const labelWidth = 84;
  let y = top;
  for (const { label, value } of content.facts) {
    const levelBaselines = ascent(styles.normal) - ascent(styles.label);
    sheet.block([label], { x: left, y: y + levelBaselines, width: labelWidth, style: styles.label });
    const width = contentWidth / 2 - 12 - labelWidth;
    y = sheet.block([value], { x: left + labelWidth, y, width, style: styles.normal }) + 1.5;
  }
  return y;
}

function drawSummary(sheet: Page, summary: string): void {
  const height = 30;
  sheet.decoration(() => {
    sheet.doc.rect(page.left, sheet.y, contentWidth, height).fill(colors.band);
    sheet.doc.rect(page.left, sheet.y, 3, height).fill(colors.accent);
  });
  sheet.tagged('P', () => sheet.text.draw(summary, { x: page.left + 14, y: sheet.y + 19.5 }, styles.summary));
  sheet.y += height + 18;
}

/** Kept together: a total never stands on another page than its tax. */
function drawTotals(sheet: Page, content: InvoiceContent): void {
  const left = page.left + contentWidth * 0.4;
  const right = page.left + contentWidth;
  const rows = content.totals.map((row) => {
    const style = row.strong ? styles.total : styles.normal;
    const room = right - left - 24 - sheet.text.width(row.amount, style);
    return { ...row, style, labels: sheet.text.wrap(row.label, room, style) };
  });
  const heightOf = ({ labels }: { readonly labels: readonly string[] }): number => 4 + 13 * Math.max(1, labels.length);
  sheet.y += 10;
  sheet.need(rows.reduce((sum, row) => sum + heightOf(row), 12));
  for (const row of rows) {
    if (row.strong) {
      sheet.decoration(() => {
        sheet.doc
          .moveTo(left, sheet.y + 1)
          .lineTo(right, sheet.y + 1)
          .lineWidth(1)
          .stroke(colors.accent);
      });
      sheet.y += 5;
    }
    sheet.tagged('P', () => {
      row.labels.forEach((label, index) => {
        sheet.text.draw(label, { x: left + 6, y: sheet.y + 12 + 13 * index }, row.style);
      });
      sheet.text.draw(row.amount, { x: right - 6, y: sheet.y + 12, align: 'right' }, row.style);
    });
    sheet.y += heightOf(row);
  }
}

function drawNotes(sheet: Page, { notes }: InvoiceContent): void {
  sheet.y += 26;
  for (const { heading, text } of notes) {
    const lines = sheet.text.wrap(text, contentWidth, styles.muted);
    sheet.need(14 + lines.length * 12);
    sheet.y = sheet.block([heading], { x: page.left, y: sheet.y, width: contentWidth, style: styles.label });
    sheet.y = sheet.block([text], { x: page.left, y: sheet.y, width: contentWidth, style: styles.muted }) + 8;
  }
}

/** Page numbers come last, when it is known how many pages there are. */
function drawFeet(sheet: Page, { labels }: InvoiceContent): void {
  const { doc, text } = sheet;
  const { count } = doc.bufferedPageRange();
  for (let index = 0; index < count; index += 1) {
    doc.switchToPage(index);
    const rule = page.height - page.footHeight + 14;
    sheet.decoration(() => {
      doc
        .moveTo(page.left, rule)
        .lineTo(page.left + contentWidth, rule)
        .lineWidth(0.5)
        .stroke(colors.rule);
      text.draw(sheet.reference, { x: page.left, y: rule + 14 }, styles.foot);
      const number = labels.page(index + 1, count);
      text.draw(number, { x: page.left + contentWidth, y: rule + 14, align: 'right' }, styles.foot);
    }, 'Pagination');
  }
}
