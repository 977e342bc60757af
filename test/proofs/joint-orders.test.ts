/**
 * The joint holds in every order: ingest that draws its positions and commits later, the relay's plan, window close, gate, comparison
 * and correction lose and double nothing, whatever happens first and whoever has to wait for whom.
 *
 * SEED=… repeats what is drawn; TIMES=10 draws ten times as many.
 */
import { installHorizonPauses } from './support/horizon-pause.js';
import { interleavings, seeded } from './support/interleavings.js';
import { closeInHalves, correction, expectEachToHold, planInHalves } from './support/joint-schedules.js';
import type { Chains, StepName } from './support/joint-schedules.js';
import { JointScene } from './support/joint-scene.js';

let scene: JointScene;
let removePauses: () => void;
beforeAll(async () => {
  scene = await JointScene.open();
  removePauses = installHorizonPauses();
});
afterAll(async () => {
  removePauses();
  await scene.close();
});

/** The two ingests are alike: of two orders that differ only in which is called the first, one is enough. */
const oneBeforeTwo = (order: readonly StepName[]): boolean => order.indexOf('draw 1') < order.indexOf('draw 2');
const twoIngests = [
  ['draw 1', 'commit 1'],
  ['draw 2', 'commit 2'],
] as const;
const minutes = 60_000;

test.each<[string, Chains, number]>([
  ['two ingests, a plan and the gate', [...twoIngests, ['plan'], ['gate']], 90],
  ['two ingests, a close and the gate', [...twoIngests, ['close'], ['gate']], 90],
  ['two ingests, a plan and a close', [...twoIngests, ['plan'], ['close']], 90],
  ['an ingest, a plan and a close, their horizons apart', [twoIngests[0], planInHalves, closeInHalves], 90],
  ['an ingest, a plan with its horizon apart, and the gate', [twoIngests[0], planInHalves, ['gate']], 30],
  ['an ingest, a close with its horizon apart, and the gate', [twoIngests[0], closeInHalves, ['gate']], 30],
  ['an ingest and a void around a correction', [['draw 1', 'commit 1'], ['draw void', 'commit void'], correction], 210],
  ['an ingest, a plan, a close and a correction', [['draw 1', 'commit 1'], ['plan'], ['close'], correction], 420],
])(
  '%s: every order',
  async (_name, chains, count) => {
    const orders = [...interleavings(chains)].filter((order) => !order.includes('draw 2') || oneBeforeTwo(order));
    expect(await expectEachToHold(scene, { chains }, orders)).toBe(count);
  },
  15 * minutes,
);

const drawn = 60 * Number(process.env['TIMES'] ?? 1);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(
  `two ingests, a plan, a close and a correction: ${drawn} of 7,560 orders (SEED=${seed})`,
  async () => {
    const chains = [...twoIngests, ['plan'], ['close'], correction] as const;
    const orders = [...interleavings<StepName>(chains)].filter(oneBeforeTwo);
    expect(orders).toHaveLength(7_560);
    const random = seeded(seed);
    const chosen = Array.from({ length: drawn }, () => orders[Math.floor(random() * orders.length)] ?? []);
    await expectEachToHold(scene, { chains }, chosen);
  },
  15 * minutes,
);
