import { call, until } from '../../support/stack.js';
import type { Usage } from './usage.js';

interface Answer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
}

/** Sends as a service would: what was not acknowledged is sent again until it is. */
export class Sender {
  /** Ids of events that were answered with 202. */
  readonly acknowledged = new Set<string>();
  /** Events that were accepted as new, over all answers that arrived. */
  accepted = 0;

  /** @param path with the backfill that the events are for, if there is one */
  constructor(
    private readonly apiUrl: string,
    private readonly path = '/events',
  ) {}

  /** @param options events a request, and requests at the same time */
  async send(events: readonly Usage[], options: { readonly batch: number; readonly lanes?: number }): Promise<void> {
    const { batch, lanes = 3 } = options;
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < events.length) {
        const from = next;
        next += batch;
        await this.sendOne(events.slice(from, from + batch));
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  private async sendOne(body: readonly Usage[]): Promise<void> {
    const answer = await until(
      () => call<Answer>(`${this.apiUrl}${this.path}`, { body }),
      () => true,
    );
    if (answer.rejected > 0) throw new Error(`events were rejected: ${JSON.stringify(answer)}`);
    this.accepted += answer.accepted;
    for (const { event_id } of body) this.acknowledged.add(event_id);
  }
}
