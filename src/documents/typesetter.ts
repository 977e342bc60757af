/**
 * Sets text in a PDF with several fonts: each character in the first font that has it. PDFKit wraps and measures in one
 * font at a time, so wrapping is done here.
 */
import { invariant } from '../domain/failure.js';
import { fontFile, packagedFont } from './fonts.js';
import type { Weight } from './fonts.js';

export interface TextStyle {
  readonly weight: Weight;
  /** Points. */
  readonly size: number;
  readonly color: string;
}

/** A stretch of text in one font; not `covered`: no font has these characters, and the document is refused in the end. */
interface Run {
  readonly text: string;
  readonly font: string;
  readonly covered: boolean;
}

type Coverage = (codePoint: number) => boolean;

// Invisible characters that could reorder or hide what a document says: control characters and marks of direction.
const invisible = /[\p{Cc}\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/gu;

/** Points; figures that would be smaller are broken over lines after all. */
const smallestSize = 5;

const noBreakSpace = '\u00A0';

/** What is set in place of `text`: composed accents, no control characters, single spaces. */
function cleanText(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\t\v\f ]+/g, ' ')
    .replace(invisible, '')
    .trim();
}

export class Typesetter {
  private readonly extra: readonly string[];
  private readonly coverage = new Map<string, Coverage>();
  private readonly missed = new Set<string>();

  /** `extraFonts`: paths of TrueType or OpenType files for scripts that Noto Sans lacks, tried in order. */
  constructor(
    private readonly doc: PDFKit.PDFDocument,
    extraFonts: readonly string[] = [],
  ) {
    for (const weight of ['regular', 'bold'] as const) this.register(weight, packagedFont(weight));
    this.extra = extraFonts.map((path) => {
      this.register(path, fontFile(path));
      return path;
    });
  }

  /** Characters that were drawn or measured and that no font has. */
  get missing(): readonly string[] {
    return [...this.missed];
  }

  width(text: string, style: TextStyle): number {
    return this.runs(text, style.weight).reduce((sum, run) => sum + this.runWidth(run, style), 0);
  }

  /**
   * Lines no wider than `width`, which end at spaces (never at a no-break space), after hyphens and slashes, around
   * ideographs; of a calculation before its signs, after the commas of a figure, and inside a word, only when it is too wide for a
   * line of its own.
   */
  wrap(text: string, width: number, style: TextStyle): readonly string[] {
    const lines: string[] = [];
    for (const paragraph of text.split(/\r?\n/)) {
      let line = '';
      const tooWide = (piece: string): boolean => this.width(piece.trimEnd(), style) > width;
      const split = (pieces: readonly string[], at: RegExp): readonly string[] =>
        pieces.flatMap((each) => (tooWide(each) ? each.split(at) : [each]));
      const pieces = split(split(breakable(cleanText(paragraph)), signBreakpoints), figureBreakpoints);
      for (const piece of pieces) {
        if (this.width((line + piece).trimEnd(), style) <= width) {
          line += piece;
          continue;
        }
        if (line !== '') lines.push(line.trimEnd());
        line = piece;
        while (this.width(line.trimEnd(), style) > width) {
          const head = this.fittingPrefix(line, width, style);
          lines.push(head);
          line = line.slice(head.length);
        }
      }
      lines.push(line.trimEnd());
    }
    // As wide as a space; copied text shall have ordinary ones.
    return lines.map((line) => line.replaceAll(noBreakSpace, ' '));
  }

  /** The style in which no figure of the text is wider than `width`: smaller where it must be, and never too small to be read. */
  fitting(text: string, width: number, style: TextStyle): TextStyle {
    const figures = text.match(/[-−]?\d(?:[.,’'\u00A0]?\d)*/g) ?? [];
    const widest = Math.max(0, ...figures.map((figure) => this.width(figure, style)));
    if (widest <= width) return style;
    // To a hundredth of a point, rounded down: what is cut off would be a digit.
    const size = Math.floor(((style.size * width) / widest) * 100) / 100;
    return { ...style, size: Math.max(size, smallestSize) };
  }

  /** Draws one line with its baseline at `y`; right-aligned text ends at `x`. */
  draw(text: string, at: { x: number; y: number; align?: 'left' | 'right' }, style: TextStyle): void {
    let x = at.align === 'right' ? at.x - this.width(text, style) : at.x;
    for (const run of this.runs(text, style.weight)) {
      this.drawRun(run, { x, y: at.y }, style);
      x += this.runWidth(run, style);
    }
  }

  private drawRun(run: Run, at: { x: number; y: number }, style: TextStyle): void {
    this.doc.fillColor(style.color).font(run.font).fontSize(style.size);
    this.doc.text(run.text, at.x, at.y, { lineBreak: false, baseline: 'alphabetic' });
  }

  private runWidth(run: Run, style: TextStyle): number {
    return this.doc.font(run.font).fontSize(style.size).widthOfString(run.text);
  }

  private runs(text: string, weight: Weight): readonly Run[] {
    const runs: { text: string; font: string; covered: boolean }[] = [];
    for (const character of text) {
      const last = runs.at(-1);
      // A combining mark stays with its letter, and a space with its word, whichever font that has.
      const joined =
        last !== undefined && (/\p{M}/u.test(character) || (character === ' ' && this.has(last.font, ' ')));
      const font = joined && last.covered ? last.font : this.fontFor(character, weight);
      const run = { text: character, font: font ?? weight, covered: font !== null };
      if (last?.font === run.font && last.covered === run.covered) last.text += character;
      else runs.push(run);
      if (!run.covered) this.missed.add(character);
    }
    return runs.flatMap((run) => inDrawingOrder(run.text).map((part) => ({ ...run, text: part })));
  }

  private has(font: string, character: string): boolean {
    return this.coverage.get(font)?.(character.codePointAt(0) ?? 0) === true;
  }

  private fontFor(character: string, weight: Weight): string | null {
    const codePoint = character.codePointAt(0) ?? 0;
    return [weight, ...this.extra].find((font) => this.coverage.get(font)?.(codePoint) === true) ?? null;
  }

  private fittingPrefix(text: string, width: number, style: TextStyle): string {
    let prefix = '';
    for (const character of text) {
      // One character a line at least, so that no width can stop the work.
      if (prefix !== '' && this.width(prefix + character, style) > width) break;
      prefix += character;
    }
    return prefix;
  }

  private register(name: string, bytes: Buffer): void {
    this.doc.registerFont(name, bytes);
    this.doc.font(name);
    // PDFKit keeps the parsed font to itself, and offers no way to ask which characters it has.
    const { _font: current } = this.doc as unknown as { _font?: { font?: { hasGlyphForCodePoint?: Coverage } } };
    const font = current?.font;
    invariant(
      typeof font?.hasGlyphForCodePoint === 'function',
      'the PDF library no longer shows which characters a font has',
    );
    this.coverage.set(name, (codePoint) => font.hasGlyphForCodePoint?.(codePoint) ?? false);
  }
}

const rightToLeft = /[\p{sc=Arabic}\p{sc=Hebrew}\p{sc=Syriac}\p{sc=Thaana}]/u;

/** PDFKit shapes a word in its own direction, and sets words from left to right: those that run the other way are handed over so. */
function inDrawingOrder(text: string): readonly string[] {
  if (!rightToLeft.test(text)) return [text];
  return text
    .split(/( )/)
    .filter((part) => part !== '')
    .reverse();
}

/** Scripts written without spaces: a line may end before and after each of their characters. */
const ideograph = '[\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}]';
const breakpoints = new RegExp(`(?<= )|(?<=[-/])(?=\\p{L})|(?<=${ideograph})(?! )|(?=${ideograph})`, 'u');

/** `1000 × 0.10` is one piece where it fits. */
const signBreakpoints = /(?<=\u00A0)(?=[×/=+−])/;

/** Half a figure reads as a smaller one, so it is torn apart only when nothing else helps, and then between its groups. */
const figureBreakpoints = /(?<=[,.’\u00A0])(?=\d{3}(?:\D|$))/;

/** Pieces between which a line may end. */
function breakable(text: string): readonly string[] {
  return text.split(breakpoints);
}
