/** The table of lines: columns as wide as their share, rows as high as their longest cell, head and carried sum on every page. */
import { addDecimals, zero } from '../domain/decimal.js';
import type { DecimalString } from '../domain/values.js';
import type { Column, InvoiceContent, Row, Tone } from './invoice-content.js';
import { ascent, colors, contentWidth, leading, page, styles } from './page.js';
import type { Page } from './page.js';
import type { TextStyle } from './typesetter.js';

interface CellLine {
  readonly text: string;
  readonly style: TextStyle;
}
interface PlacedColumn extends Column {
  readonly left: number;
  readonly width: number;
  /** Of a column of figures: room for the longest fraction, its point included; null: it is set by its right edge. */
  readonly fraction: number | null;
}

const toneStyles = {
  normal: styles.normal,
  muted: styles.muted,
  strong: styles.strong,
} as const satisfies Record<Tone, TextStyle>;

const padding = { x: 6, y: 5 } as const;
const headHeight = 20;
/** Of the sum at the foot of a page that others follow, and at the head of the next one. */
const carriedHeight = 18;
/** One height for all lines of a table keeps the baselines of a row's cells level. */
const lineHeight = leading(styles.normal);
/** A row is split over pages only when no page could hold it; then in parts of at least this many lines. */
const fewestLines = 3;

export function drawTable(sheet: Page, content: InvoiceContent): void {
  new Table(sheet, content).draw();
}

class Table {
  private readonly columns: readonly PlacedColumn[];
  /** The sum of the lines that stand on the pages so far. */
  private sum: DecimalString = zero;

  constructor(
    private readonly sheet: Page,
    private readonly content: InvoiceContent,
  ) {
    this.columns = place(sheet, content);
  }

  draw(): void {
    const { sheet, content } = this;
    sheet.need(headHeight + fewestLines * lineHeight);
    sheet.beginTable();
    this.drawHead();
    content.rows.forEach((row, index) => {
      // A section's title is never the last thing on a page.
      const next = row.kind === 'section' ? content.rows[index + 1] : undefined;
      const following = next === undefined ? 0 : rowHeight(Math.min(longest(this.set(next)), 2 * fewestLines));
      this.drawRow(row, { following, isLast: index === content.rows.length - 1 });
      if (row.amount !== null) this.sum = addDecimals([this.sum, row.amount]);
    });
    if (content.rows.length === 0) {
      const cells = [[{ text: this.content.labels.noUsage, tone: 'muted' as const }]];
      this.drawRow({ kind: 'line', cells, amount: null }, { following: 0, isLast: true });
    }
    sheet.endTable();
  }

  private drawHead(): void {
    const { sheet } = this;
    sheet.decoration(() => sheet.doc.rect(page.left, sheet.y, contentWidth, headHeight).fill(colors.band));
    sheet.tableRow(() => {
      for (const column of this.columns) {
        // A heading stands by the right edge even where figures stand by their points.
        const head = { ...column, fraction: null };
        sheet.tableCell('TH', () =>
          this.drawCellLine(head, { text: column.header, style: styles.columnHead }, sheet.y + 13.5),
        );
      }
    });
    sheet.y += headHeight;
  }

  /** The wrapped lines of each cell. */
  private set({ cells }: Row): readonly (readonly CellLine[])[] {
    return this.columns.map((column, index) =>
      (cells[index] ?? []).flatMap(({ text, tone }) => {
        const width = (cells.length === 1 ? contentWidth : column.width) - 2 * padding.x;
        const style = this.sheet.text.fitting(text, width, toneStyles[tone]);
        return this.sheet.text.wrap(text, width, style).map((line) => ({ text: line, style }));
      }),
    );
  }

  private drawRow(row: Row, { following, isLast }: { readonly following: number; readonly isLast: boolean }): void {
    const { sheet } = this;
    const cells = this.set(row);
    const lines = longest(cells);
    const reserved = isLast ? 0 : carriedHeight;
    const wholePage = sheet.bottom - page.top - 2 * headHeight - 2 * carriedHeight;
    const fitsOnAPage = rowHeight(lines) <= wholePage;
    let drawn = 0;
    while (drawn < lines) {
      const wanted = fitsOnAPage ? lines : Math.min(fewestLines, lines - drawn);
      this.need(rowHeight(wanted) + following + reserved);
      const room = Math.floor((sheet.roomLeft - reserved - 2 * padding.y) / lineHeight);
      const part = Math.min(lines - drawn, Math.max(room, 1));
      this.drawLines(
        row,
        cells.map((cell) => cell.slice(drawn, drawn + part)),
      );
      sheet.y += rowHeight(part);
      drawn += part;
    }
    sheet.rule(row.kind === 'subtotal' ? colors.accent : colors.rule);
  }

  /** On to the next page, where the head stands again between what was and what is to be carried. */
  private need(height: number): void {
    const { sheet } = this;
    if (sheet.roomLeft >= height) return;
    const carried = this.sum === zero ? null : this.content.carried(this.sum);
    if (carried !== null) this.drawCarried(this.content.labels.carriedForward, carried);
    sheet.startPage();
    this.drawHead();
    if (carried !== null) this.drawCarried(this.content.labels.broughtForward, carried);
  }

  private drawCarried(label: string, figure: string): void {
    const { sheet } = this;
    const [first, last] = [this.columns[0], this.columns.at(-1)];
    if (first === undefined || last === undefined) return;
    const y = sheet.y + 12.5;
    sheet.tableRow(() => {
      sheet.tableCell('TD', () => this.drawCellLine(first, { text: label, style: styles.muted }, y));
      sheet.tableCell('TD', () => this.drawCellLine(last, { text: figure, style: styles.muted }, y));
    });
    sheet.y += carriedHeight;
    sheet.rule(colors.rule);
  }

  private drawLines(row: Row, cells: readonly (readonly CellLine[])[]): void {
    const { sheet } = this;
    if (row.kind === 'subtotal') {
      const height = rowHeight(longest(cells));
      sheet.decoration(() => sheet.doc.rect(page.left, sheet.y, contentWidth, height).fill(colors.band));
    }
    sheet.tableRow(() => {
      this.columns.forEach((column, index) => {
        const own = cells[index] ?? [];
        if (own.length === 0) return;
        sheet.tableCell('TD', () => {
          own.forEach((line, lineIndex) => {
            this.drawCellLine(column, line, sheet.y + padding.y + lineIndex * lineHeight + ascent(styles.normal));
          });
        });
      });
    });
  }

  private drawCellLine(column: PlacedColumn, line: CellLine, y: number): void {
    const { text } = this.sheet;
    if (column.align === 'left') {
      text.draw(line.text, { x: column.left + padding.x, y }, line.style);
      return;
    }
    const right = column.left + column.width - padding.x;
    const at = isFigure(line.text) && column.fraction !== null ? line.text.lastIndexOf(this.content.point) : null;
    if (at === null) {
      text.draw(line.text, { x: right, y, align: 'right' }, line.style);
      return;
    }
    const whole = at < 0 ? line.text : line.text.slice(0, at);
    const left = right - (column.fraction ?? 0) - text.width(whole, line.style);
    text.draw(line.text, { x: left, y }, line.style);
  }
}

function place(sheet: Page, content: InvoiceContent): readonly PlacedColumn[] {
  let left = page.left;
  return content.columns.map((column, index) => {
    const width = contentWidth * column.share;
    const placed = { ...column, left, width, fraction: fractionOf(sheet, content, index) };
    left += width;
    return placed;
  });
}

const isFigure = (text: string): boolean => /^[-−]?\d/.test(text);

/** Figures that would not fit so are set by their right edge: a column is one or the other. */
function fractionOf(sheet: Page, { rows, columns, point }: InvoiceContent, index: number): number | null {
  const column = columns[index];
  if (column?.align !== 'point') return null;
  let [whole, fraction] = [0, 0];
  for (const { cells } of rows) {
    for (const { text, tone } of cells[index] ?? []) {
      if (!isFigure(text)) continue;
      const at = text.lastIndexOf(point);
      const style = toneStyles[tone];
      whole = Math.max(whole, sheet.text.width(at < 0 ? text : text.slice(0, at), style));
      if (at >= 0) fraction = Math.max(fraction, sheet.text.width(text.slice(at), style));
    }
  }
  return whole + fraction <= contentWidth * column.share - 2 * padding.x ? fraction : null;
}

const longest = (cells: readonly (readonly CellLine[])[]): number => Math.max(1, ...cells.map((cell) => cell.length));

function rowHeight(lines: number): number {
  return lines * lineHeight + 2 * padding.y;
}
