/** What both sets of events are billed with: prices that change on the 20th at noon, tiers, groups. */
import type { HistoryVersion } from './history.js';
import { priceBookOf } from './project-facts.js';

const versions: readonly HistoryVersion[] = [
  {
    start: '2023-01-01T00:00:00.000000Z',
    until: null,
    prices: {
      calls: {
        model: 'tiered',
        tiers: [
          { upTo: '100', unitPrice: '0.0125', flatFee: '1' },
          { upTo: null, unitPrice: '0.005', flatFee: '0' },
        ],
        chargeWhenZero: false,
        pooled: true,
      },
      bytes: { model: 'flat', unitPrice: '0.333', pooled: false },
    },
  },
  {
    start: '2024-01-20T12:00:00.000000Z',
    until: null,
    prices: {
      calls: {
        model: 'tiered',
        tiers: [
          { upTo: '500', unitPrice: '0.01', flatFee: '0' },
          { upTo: null, unitPrice: '0.0033', flatFee: '2.5' },
        ],
        chargeWhenZero: false,
        pooled: true,
      },
      bytes: { model: 'flat', unitPrice: '0.125', pooled: false },
    },
  },
];

export const priceBooks = versions.map((version, index) =>
  priceBookOf(version, { code: 'book', version: `v${index + 1}`, currency: 'USD' }),
);
