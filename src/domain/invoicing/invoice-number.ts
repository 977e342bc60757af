/** What is printed of a number of the series: at least six digits, more when they are needed. */
export const invoiceNumber = (drawn: number): string => `INV-${String(drawn).padStart(6, '0')}`;
