/** Requests that change something: each under an idempotency key, so that it is done once however often it is sent. */
import type { Command } from 'commander';
import { stringify } from 'lossless-json';
import { newIdempotencyKey } from './api-client.js';
import type { ApiRequest, JsonObject } from './api-client.js';
import { contextOf, segment } from './context.js';
import type { CliDependencies } from './context.js';

export interface KeyOption {
  readonly idempotencyKey?: string | undefined;
}

export interface ReasonOptions extends KeyOption {
  readonly reason: string;
}

export const keyed = (command: Command): Command =>
  command.option('--idempotency-key <key>', 'the same request under the same key is done once; default: a new key');

/** Numbers that were read exactly are sent as they are written; what is undefined is left out. */
export const post = (body: object, key?: KeyOption): ApiRequest => postText(stringify(body) ?? '', key);

/** @param body JSON, such as a file holds it: sent as it is written */
export const postText = (body: string, { idempotencyKey = newIdempotencyKey() }: KeyOption = {}): ApiRequest => ({
  method: 'POST',
  body,
  idempotencyKey,
});

/** Commands that decide about something by its id, with a reason if one is given: name and description of each. */
export function addDecisionCommands(
  parent: Command,
  decisions: readonly (readonly [name: string, description: string])[],
  about: {
    /** What the id is of: `backfill`. */
    readonly thing: string;
    /** `/backfills`; the decision is posted to `/backfills/ID/NAME`. */
    readonly path: string;
    readonly describe: (answer: JsonObject) => string;
  },
  dependencies: CliDependencies,
): void {
  for (const [name, description] of decisions) {
    parent
      .command(name)
      .description(description)
      .argument('<id>', `${about.thing} id`)
      .option('--reason <text>', 'why; kept with the decision')
      .action(async (id: string, { reason }: { readonly reason?: string }, command: Command) => {
        const context = contextOf(command, dependencies);
        const answer = await context.api.json(`${about.path}/${segment(id)}/${name}`, post({ reason }));
        context.print(answer, about.describe);
      });
  }
}
