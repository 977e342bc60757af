/** Requests that move money: each under an idempotency key, so that it is done once however often it is sent. */
import type { Command } from 'commander';
import { newIdempotencyKey } from './api-client.js';

export interface KeyOption {
  readonly idempotencyKey?: string | undefined;
}

export interface ReasonOptions extends KeyOption {
  readonly reason: string;
}

export const keyed = (command: Command): Command =>
  command.option('--idempotency-key <key>', 'the same request under the same key is done once; default: a new key');

export const post = (body: object, { idempotencyKey = newIdempotencyKey() }: KeyOption = {}) =>
  ({ method: 'POST', body: JSON.stringify(body), idempotencyKey }) as const;
