import type { BenchDatabase, Cluster } from '../lib/cluster.js';
import { idKinds } from '../lib/events.js';
import type { IdKind } from '../lib/events.js';
import { copySide, growTo, ingestDatabase, postSide, storedText } from '../lib/ingest.js';
import { compare } from '../lib/measure.js';
import type { Figure, Ratio, Side } from '../lib/measure.js';
import { rateText } from '../lib/report.js';
import type { Row, RowContext } from './row.js';

/** Of an API that has just begun; the other one has run for a while. */
const warmUpRounds = 3;
const load = { events: 40_000, batch: 1_000, connections: 8 };

/** Held against COPY into the same table, and against the same requests into one that began empty. */
interface AtSize {
  readonly stored: number;
  readonly copy: Ratio;
  readonly empty: Ratio | null;
}

async function atSize(
  { cluster, rounds }: RowContext,
  grown: { readonly database: BenchDatabase; readonly ours: Side; readonly kind: IdKind; readonly stored: number },
): Promise<AtSize> {
  const { database, ours, kind, stored } = grown;
  const common = { row: '', unit: 'events', ours, rounds, target: null };
  const copy = await compare({ ...common, limit: copySide(database, load.events, idKinds[kind]) });
  if (stored === 0) return { stored, copy, empty: null };
  const reference = await ingestDatabase(cluster);
  const { side, stop } = await apiOn(cluster, reference, kind);
  for (let round = 0; round < warmUpRounds; round += 1) await (await side.prepare())();
  const empty = await compare({ ...common, limit: side });
  await stop();
  return { stored, copy, empty };
}

async function apiOn(
  cluster: Cluster,
  database: BenchDatabase,
  kind: IdKind,
): Promise<{ readonly side: Side; readonly stop: () => Promise<void> }> {
  const api = await cluster.startApi(database);
  return {
    side: postSide('HTTP', api.port, { ...load, of: idKinds[kind] }),
    stop: async () => {
      await api.stop();
      await cluster.dropDatabase(database);
    },
  };
}

/** One database that grows, with a look at each size. */
async function grow(context: RowContext, kind: IdKind): Promise<readonly AtSize[]> {
  const { cluster, stored } = context;
  const database = await ingestDatabase(cluster);
  const { side: ours, stop } = await apiOn(cluster, database, kind);
  const sizes: AtSize[] = [];
  let from = 0;
  for (const to of [0, stored / 4, stored / 2, stored]) {
    await growTo(database, { from, to, newId: idKinds[kind].newId });
    sizes.push(await atSize(context, { database, ours, kind, stored: to }));
    from = to;
  }
  await stop();
  return sizes;
}

function figureOf(kind: IdKind, { stored, copy, empty }: AtSize): Figure {
  const { min, median, max } = copy.ours;
  const ofEmpty = empty === null ? '' : `; **${empty.ratio.median.toFixed(2)}** of what an empty table takes`;
  return {
    kind: 'figure',
    row: `POST /events, batches of ${load.batch.toLocaleString('en')}, ${idKinds[kind].name}, ${storedText(stored)}`,
    value: `${rateText(min)} / **${rateText(median)}** / ${rateText(max)} events/s`,
    note: `**${copy.ratio.median.toFixed(2)}** of COPY into the same table (${rateText(copy.limit.median)})${ofEmpty}`,
  };
}

/** How the rate falls with what is stored: the key's index takes ids in their order of time at one place, random ones everywhere. */
export const tableSize: Row = {
  name: 'table-size',
  measure: async (context) => {
    const figures: Figure[] = [];
    for (const kind of ['time-ordered', 'random'] as const) {
      for (const size of await grow(context, kind)) figures.push(figureOf(kind, size));
    }
    return figures;
  },
};
