/** What `npm run bench` can measure. */
import type { Cluster } from '../lib/cluster.js';
import type { Result } from '../lib/report.js';

export interface RowContext {
  readonly cluster: Cluster;
  readonly rounds: number;
  /** Events that a large table has before the rows begin that ask for one. */
  readonly stored: number;
}

export interface Row {
  /** For `--row`. */
  readonly name: string;
  readonly measure: (context: RowContext) => Promise<readonly Result[]>;
}
