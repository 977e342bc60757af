/** How many dead letters wait for a person, and for how long: read from the database at a scrape, at most once in a while. */
import { Gauge, type Registry } from 'prom-client';
import type { DeadLetterStore } from '../../storage/types.js';
import { remembering } from './remembering.js';

type Backlog = Awaited<ReturnType<DeadLetterStore['backlog']>>;

export interface DeadLetterMetricsOptions {
  readonly deadLetters: Pick<DeadLetterStore, 'backlog'>;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

export function registerDeadLetterMetrics(registry: Registry, { deadLetters, clock }: DeadLetterMetricsOptions): void {
  const backlog = remembering(() => deadLetters.backlog());
  const gauge = (name: string, help: string, read: (backlog: Backlog) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        // A database that is away must not take the other metrics with it: what is not known is not a number.
        this.set(await backlog().then(read, () => NaN));
      },
    });
  };
  gauge('reckoner_dead_letters_open', 'Dead letters that nobody has replayed or discarded.', ({ open }) => open);
  gauge('reckoner_dead_letters_oldest_seconds', 'Age of the oldest open dead letter; 0 without one.', ({ oldest }) =>
    oldest === null ? 0 : Math.max(0, (clock() - Date.parse(oldest)) / 1_000),
  );
}
