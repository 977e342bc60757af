/** Nothing in it that JSON writes with a backslash: quotes, control characters, backslashes, halves of surrogate pairs. */
const isPlain = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

/** What `JSON.stringify` makes of a text, in half the time where it has nothing to escape. */
export const jsonText = (text: string): string => (isPlain.test(text) ? `"${text}"` : JSON.stringify(text));
