/** Total order by code unit, for `sort`: the same on every machine, as an order by locale is not. */
export const compareText = (a: string, b: string): -1 | 0 | 1 => (a < b ? -1 : a > b ? 1 : 0);
