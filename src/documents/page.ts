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

  constructor(
    readonly doc: PDFKit.PDFDocument,
    readonly text: Typesetter,
    private readonly content: InvoiceContent,
  ) {}

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
    this.text.draw(seller, { x: page.left, y: page.top }, styles.foot);
    this.text.draw(this.content.reference, { x: page.left + contentWidth, y: page.top, align: 'right' }, styles.foot);
    this.y = page.top + 18;
  }

  /** Wrapped text from `y` down, a paragraph a string; answers where it ended. */
  block(paragraphs: readonly string[], box: Box): number {
    let y = box.y;
    for (const line of paragraphs.flatMap((text) => this.text.wrap(text, box.width, box.style))) {
      this.text.draw(line, { x: box.x, y: y + ascent(box.style) }, box.style);
      y += leading(box.style);
    }
    return y;
  }
}
