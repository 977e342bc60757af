/** The sheet that a document is drawn on: sizes, styles, and where the next thing goes. Lengths are points. */
import type { InvoiceContent } from './invoice-content.js';
import type { TextStyle, Typesetter } from './typesetter.js';

export const page = { width: 595.28, height: 841.89, left: 48, top: 48, footHeight: 56 } as const;
export const contentWidth = page.width - 2 * page.left;

export const colors = {
  text: '#1c2430',
  muted: '#5a6472',
  accent: '#1f4e79',
  band: '#f2f5f8',
  rule: '#d5dbe2',
  warning: '#b3261e',
} as const;

export const styles = {
  title: { weight: 'bold', size: 22, color: colors.accent },
  mark: { weight: 'bold', size: 14, color: colors.warning },
  partyName: { weight: 'bold', size: 12, color: colors.text },
  summary: { weight: 'bold', size: 11.5, color: colors.accent },
  total: { weight: 'bold', size: 11, color: colors.text },
  strong: { weight: 'bold', size: 9.5, color: colors.text },
  normal: { weight: 'regular', size: 9.5, color: colors.text },
  muted: { weight: 'regular', size: 8.5, color: colors.muted },
  label: { weight: 'regular', size: 8.5, color: colors.muted },
  columnHead: { weight: 'bold', size: 8.5, color: colors.accent },
  foot: { weight: 'regular', size: 8, color: colors.muted },
} as const satisfies Record<string, TextStyle>;

/** Distance from one baseline to the next. */
export function leading(style: TextStyle): number {
  return style.size * 1.38;
}
/** Distance from the top of a line's box to its baseline. */
export function ascent(style: TextStyle): number {
  return style.size * 1.02;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly style: TextStyle;
}

export class Page {
  /** Top of the next thing to be drawn. */
  y: number = page.top;

  /** What a reader's aid reads, in order: the elements of the table while one is drawn, else of the document. */
  private readonly root: PDFKit.PDFStructureElement;
  private table: PDFKit.PDFStructureElement | null = null;
  private row: PDFKit.PDFStructureElement | null = null;

  constructor(
    readonly doc: PDFKit.PDFDocument,
    readonly text: Typesetter,
    private readonly content: InvoiceContent,
  ) {
    this.root = doc.struct('Document');
    doc.addStructure(this.root);
  }

  /** Draws a heading or a paragraph. */
  tagged(type: 'H1' | 'P', draw: () => void): void {
    this.mark(type, this.root, draw);
  }

  beginTable(): void {
    this.table = this.doc.struct('Table');
    this.root.add(this.table);
  }

  endTable(): void {
    this.table = null;
  }

  tableRow(draw: () => void): void {
    const row = this.doc.struct('TR');
    this.table?.add(row);
    this.row = row;
    draw();
    this.row = null;
  }

  tableCell(type: 'TH' | 'TD', draw: () => void): void {
    this.mark(type, this.row ?? this.root, draw);
  }

  /** Lines and bands: nothing to read. */
  decoration(draw: () => void, type: 'Layout' | 'Pagination' = 'Layout'): void {
    this.doc.markContent('Artifact', { type });
    draw();
    this.doc.endMarkedContent();
  }

  /** Across the page at `y`. */
  rule(color: string): void {
    this.decoration(() => {
      this.doc
        .moveTo(page.left, this.y)
        .lineTo(page.left + contentWidth, this.y)
        .lineWidth(0.5)
        .stroke(color);
    });
  }

  private mark(type: string, parent: PDFKit.PDFStructureElement, draw: () => void): void {
    const content = this.doc.markStructureContent(type);
    draw();
    this.doc.endMarkedContent();
    parent.add(this.doc.struct(type, {}, content));
  }

  get reference(): string {
    return this.content.reference;
  }
  get bottom(): number {
    return page.height - page.footHeight;
  }
  get roomLeft(): number {
    return this.bottom - this.y;
  }

  /** Starts a new page unless `height` still fits on this one. True when a page was started. */
  need(height: number): boolean {
    if (this.roomLeft >= height) return false;
    this.startPage();
    return true;
  }

  /** A later page says at its head whose document it belongs to. */
  startPage(): void {
    this.doc.addPage();
    const [seller = ''] = this.content.seller;
    this.decoration(() => {
      this.text.draw(seller, { x: page.left, y: page.top }, styles.foot);
      const right = { x: page.left + contentWidth, y: page.top, align: 'right' } as const;
      this.text.draw(this.content.reference, right, styles.foot);
    }, 'Pagination');
    this.y = page.top + 18;
  }

  /** Wrapped text from `y` down, a paragraph a string; answers where it ended. */
  block(paragraphs: readonly string[], box: Box): number {
    let y = box.y;
    const lines = paragraphs.flatMap((text) => this.text.wrap(text, box.width, box.style));
    if (lines.length === 0) return y;
    this.tagged('P', () => {
      for (const line of lines) {
        this.text.draw(line, { x: box.x, y: y + ascent(box.style) }, box.style);
        y += leading(box.style);
      }
    });
    return y;
  }
}
