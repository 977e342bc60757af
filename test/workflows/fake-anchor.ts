import type { AnchorOutput } from '../../src/contracts/activities.js';
import type { Instant } from '../../src/domain/values.js';

/** What anchoring answers. */
export const anchored: AnchorOutput = {
  blocks: 1,
  checkpoints: 1,
  written: 1,
  lastCheckpoint: {
    checkpoint: 1,
    hash: '00',
    previousHash: '',
    at: '2024-01-01T00:00:00.000000Z' as Instant,
    block: null,
    keyId: '0123456789abcdef',
    signature: 'AA==',
  },
};
