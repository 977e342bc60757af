/** The table of lines: columns as wide as their share, rows as high as their longest cell, the head on every page. */
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
}

const toneStyles = {
  normal: styles.normal,
  muted: styles.muted,
  strong: styles.strong,
} as const satisfies Record<Tone, TextStyle>;

const padding = { x: 6, y: 5 } as const;
const headHeight = 20;
/** One height for all lines of a table keeps the baselines of a row's cells level. */
const lineHeight = leading(styles.normal);
/** A row is split over pages only when no page could hold it; then in parts of at least this many lines. */
const fewestLines = 3;

export function drawTable(sheet: Page, content: InvoiceContent): void {
  const columns = place(content.columns);
  sheet.need(headHeight + fewestLines * lineHeight);
  drawColumnHeads(sheet, columns);
  for (const row of content.rows) drawRow(sheet, columns, setRow(sheet, columns, row));
  if (content.rows.length === 0) {
    const text = 'No usage in this period.';
    drawRow(sheet, columns, [[{ text, style: styles.muted }], ...columns.slice(1).map(() => [])]);
  }
}

function place(columns: readonly Column[]): readonly PlacedColumn[] {
  let left = page.left;
  return columns.map((column) => {
    const width = contentWidth * column.share;
    const placed = { ...column, left, width };
    left += width;
    return placed;
  });
}

function drawColumnHeads(sheet: Page, columns: readonly PlacedColumn[]): void {
  sheet.doc.rect(page.left, sheet.y, contentWidth, headHeight).fill(colors.band);
  for (const column of columns) {
    drawCellLine(sheet, column, { text: column.header, style: styles.columnHead }, sheet.y + 13.5);
  }
  sheet.y += headHeight;
}

/** The wrapped lines of each cell. */
function setRow(sheet: Page, columns: readonly PlacedColumn[], row: Row): readonly (readonly CellLine[])[] {
  return columns.map((column, index) =>
    (row[index] ?? []).flatMap(({ text, tone }) => {
      const style = toneStyles[tone];
      return sheet.text.wrap(text, column.width - 2 * padding.x, style).map((line) => ({ text: line, style }));
    }),
  );
}

function drawRow(sheet: Page, columns: readonly PlacedColumn[], cells: readonly (readonly CellLine[])[]): void {
  const lines = Math.max(1, ...cells.map((cell) => cell.length));
  const wholePage = sheet.bottom - page.top - 2 * headHeight;
  const fitsOnAPage = rowHeight(lines) <= wholePage;
  let drawn = 0;
  while (drawn < lines) {
    const wanted = fitsOnAPage ? lines : Math.min(fewestLines, lines - drawn);
    if (sheet.need(rowHeight(wanted))) drawColumnHeads(sheet, columns);
    const room = Math.floor((sheet.roomLeft - 2 * padding.y) / lineHeight);
    const part = Math.min(lines - drawn, room);
    drawLines(
      sheet,
      columns,
      cells.map((cell) => cell.slice(drawn, drawn + part)),
    );
    sheet.y += rowHeight(part);
    drawn += part;
  }
  sheet.doc
    .moveTo(page.left, sheet.y)
    .lineTo(page.left + contentWidth, sheet.y)
    .lineWidth(0.5)
    .stroke(colors.rule);
}

function drawLines(sheet: Page, columns: readonly PlacedColumn[], cells: readonly (readonly CellLine[])[]): void {
  columns.forEach((column, index) => {
    (cells[index] ?? []).forEach((line, lineIndex) => {
      drawCellLine(sheet, column, line, sheet.y + padding.y + lineIndex * lineHeight + ascent(styles.normal));
    });
  });
}

function drawCellLine(sheet: Page, column: PlacedColumn, line: CellLine, y: number): void {
  const x = column.align === 'right' ? column.left + column.width - padding.x : column.left + padding.x;
  sheet.text.draw(line.text, { x, y, align: column.align }, line.style);
}

function rowHeight(lines: number): number {
  return lines * lineHeight + 2 * padding.y;
}
