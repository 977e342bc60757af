/** How documents are shown to a customer. It decides no line, amount or hash (RULES 55). */
export const itemisations = ['summary', 'meter', 'group', 'detailed'] as const;
export type Itemisation = (typeof itemisations)[number];

export interface Presentation {
  readonly itemisation: Itemisation;
  /** BCP 47: how amounts and days are written. */
  readonly locale: string;
}

export const defaultPresentation: Presentation = { itemisation: 'group', locale: 'en' };
