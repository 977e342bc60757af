/**
 * The joint holds in every order with backfills, too: events that are sent for one while it is closed or reverted, other traffic,
 * the relay's plan, gate, comparison and correction lose and double nothing.
 */
import type { BackfillMode } from '../../src/storage/types.js';
import { interleavings } from './support/interleavings.js';
import { correction, expectEachToHold } from './support/joint-schedules.js';
import type { Chains } from './support/joint-schedules.js';
import { JointScene } from './support/joint-scene.js';

let scene: JointScene;
beforeAll(async () => {
  scene = await JointScene.open();
});
afterAll(() => scene.close());

const filling = ['draw filled', 'commit filled'] as const;

test.each<[string, BackfillMode, Chains, number]>([
  ['an event of it, its end and a correction', 'replace', [filling, ['close backfill'], correction], 60],
  ['an event of it, its end, a plan and the gate', 'add', [filling, ['close backfill'], ['plan'], ['gate']], 60],
  [
    'an event of it, its end and its reversion, and the gate',
    'replace',
    [filling, ['close backfill', 'revert backfill'], ['gate']],
    30,
  ],
  ['other traffic, its end and a correction', 'replace', [['draw 1', 'commit 1'], ['close backfill'], correction], 60],
])(
  '%s (%s): every order',
  async (_name, mode, chains, count) => {
    expect(await expectEachToHold(scene, { chains, mode }, interleavings(chains))).toBe(count);
  },
  15 * 60_000,
);
