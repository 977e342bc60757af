import { randomUUID } from 'node:crypto';
import type { LocalDate } from '../../src/domain/values.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { createStorage } from '../../src/storage/index.js';
import { activitiesOn, gatesAtATime, invoiceAll } from '../lib/activities.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import { compare } from '../lib/measure.js';
import { createCustomer, setUpPrices } from '../lib/setup.js';
import { eventsOf, meters } from './gates.js';
import type { Row } from './row.js';

const customers = 200;
const period = '2024-01-01' as LocalDate;
const chunk = 100;

/** Each stage of the chain added up once, for all customers together. */
const scans = [
  `SELECT customer_id, event_type, count(*), sum((metadata ->> 'bytes')::numeric), sum(content_hash::numeric)
     FROM telemetry_events WHERE customer_id = ANY ($1) GROUP BY 1, 2`,
  `SELECT customer_id, meter_id, sum(event_count), sum(quantity) FROM aggregated_usage WHERE customer_id = ANY ($1) GROUP BY 1, 2`,
  `SELECT customer_id, meter_id, sum(event_count), sum(quantity), sum(amount) FROM rated_charges
     WHERE customer_id = ANY ($1) GROUP BY 1, 2`,
  `SELECT i.customer_id, l.line_key, sum(l.amount) FROM invoices i JOIN invoice_line_items l USING (invoice_id)
     WHERE i.customer_id = ANY ($1) GROUP BY 1, 2`,
  `SELECT e.customer_id, p.account, sum(p.amount) FROM journal_entries e JOIN postings p USING (entry_id)
     WHERE e.customer_id = ANY ($1) GROUP BY 1, 2`,
];

/** Events = aggregates = charges = lines = journal for each period, against adding up the same rows. */
export const reconciliation: Row = {
  name: 'reconciliation',
  measure: async ({ cluster, rounds }) => {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    const its = activitiesOn(storage);
    await setUpPrices(storage, meters);
    const ids = Array.from({ length: customers }, (_, index) => `bench_${index}`);
    await inParallel(ids, gatesAtATime, async (customerId) => {
      await createCustomer(storage, customerId);
      await storage.periods.periodNamed(customerId, period);
    });
    await copyAll(database.pool, copyChunks(ids.flatMap(eventsOf), 1_000), 4);
    await invoiceAll(
      storage,
      its,
      ids.map((customerId) => ({ customerId, period })),
    );
    await database.pool.query('VACUUM (ANALYZE)');
    const result = await compare({
      row: `reconciliation of ${customers} periods, ${meters.length} meters`,
      unit: 'periods',
      ours: {
        name: 'reconcileChunk',
        prepare: async () => {
          const runId = randomUUID();
          const scope = { customerIds: ids, from: null, to: null };
          await storage.reconciliation.request({ runId, workflowId: `bench/${runId}`, scope, requestedBy: 'bench' });
          return async () => {
            let periods = 0;
            for (let more = true; more;) {
              const done = await its.run(its.activities.reconcileChunk, { runId, limit: chunk });
              if (done.different > 0) throw new Error(`${done.different} periods do not reconcile`);
              periods += done.periods;
              ({ more } = done);
            }
            return periods;
          };
        },
      },
      limit: {
        name: 'bare sums of the same rows, stage by stage',
        prepare: async () => async () => {
          for (const scan of scans) await database.pool.query(scan, [ids]);
          return customers;
        },
      },
      rounds,
      target: null,
    });
    await storage.close();
    return [result];
  },
};
