/** Reads back what a PDF made by PDFKit says: the strings of each page with their places, through the fonts' own tables. */
import { inflateSync } from 'node:zlib';

export interface TextItem {
  readonly text: string;
  readonly x: number;
  /** Distance of the baseline from the bottom of the page. */
  readonly y: number;
}

export interface PdfText {
  readonly pages: readonly (readonly TextItem[])[];
  readonly info: Readonly<Record<string, string>>;
}

export function readPdf(pdf: Buffer): PdfText {
  const objects = readObjects(pdf);
  const pages = [...objects.values()].filter(({ head }) => /\/Type \/Page\b/.test(head));
  return { pages: pages.map((page) => readPage(page.head, objects)), info: readInfo(objects) };
}

/** The text of a page, an item a line, in the order in which it was drawn. */
export function pageText(page: readonly TextItem[]): string {
  return page.map((item) => item.text).join('\n');
}

interface PdfObject {
  readonly head: string;
  readonly stream: Buffer | null;
}
type Objects = ReadonlyMap<string, PdfObject>;

function readObjects(pdf: Buffer): Objects {
  const objects = new Map<string, PdfObject>();
  for (const match of pdf.toString('latin1').matchAll(/(\d+) 0 obj\n([\s\S]*?)\nendobj/g)) {
    const [, id = '', body = ''] = match;
    const at = body.indexOf('\nstream\n');
    const head = at < 0 ? body : body.slice(0, at);
    const bytes = at < 0 ? null : Buffer.from(body.slice(at + 8, body.lastIndexOf('\nendstream')), 'latin1');
    objects.set(id, { head, stream: bytes !== null && head.includes('/FlateDecode') ? inflateSync(bytes) : bytes });
  }
  return objects;
}

function readPage(head: string, objects: Objects): readonly TextItem[] {
  const content = referred(head, 'Contents', objects).stream?.toString('latin1') ?? '';
  const resources = referred(head, 'Resources', objects).head;
  const fonts = new Map<string, ReadonlyMap<string, string>>();
  for (const [, name = '', id = ''] of resources.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
    const font = objects.get(id)?.head ?? '';
    fonts.set(name, readUnicodeTable(referred(font, 'ToUnicode', objects).stream?.toString('latin1') ?? ''));
  }
  const items: TextItem[] = [];
  let at = { x: 0, y: 0 };
  let table: ReadonlyMap<string, string> = new Map();
  for (const [, x, y, font, glyphs] of content.matchAll(/1 0 0 1 (\S+) (\S+) Tm|\/(F\d+) \S+ Tf|\[([^\]]*)\] TJ/g)) {
    if (x !== undefined) at = { x: Number(x), y: Number(y) };
    if (font !== undefined) table = fonts.get(font) ?? new Map();
    if (glyphs !== undefined) items.push({ ...at, text: decode(glyphs, table) });
  }
  return items;
}

function decode(glyphs: string, table: ReadonlyMap<string, string>): string {
  const codes = [...glyphs.matchAll(/<([0-9a-f]*)>/g)].flatMap(([, hex = '']) => hex.match(/.{4}/g) ?? []);
  return codes.map((code) => table.get(code) ?? '\uFFFD').join('');
}

function readUnicodeTable(cmap: string): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  for (const [, first = '', list = ''] of cmap.matchAll(/<([0-9a-f]{4})> <[0-9a-f]{4}> \[([^\]]*)\]/g)) {
    [...list.matchAll(/<([0-9a-f ]*)>/g)].forEach(([, hex = ''], index) => {
      const code = (Number.parseInt(first, 16) + index).toString(16).padStart(4, '0');
      table.set(code, Buffer.from(hex.replaceAll(' ', ''), 'hex').swap16().toString('utf16le'));
    });
  }
  return table;
}

function referred(head: string, key: string, objects: Objects): PdfObject {
  const id = new RegExp(`/${key} (\\d+) 0 R`).exec(head)?.[1] ?? '';
  return objects.get(id) ?? { head: '', stream: null };
}

function readInfo(objects: Objects): Record<string, string> {
  const head = [...objects.values()].find((object) => object.head.includes('/CreationDate'))?.head ?? '';
  const keys = ['Title', 'Author', 'CreationDate', 'ModDate'] as const;
  return Object.fromEntries(keys.map((key) => [key, referred(head, key, objects).head.replace(/^\(|\)$/g, '')]));
}
