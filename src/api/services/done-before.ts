import { DomainFailure } from '../../domain/failure.js';
import type { FailureCode } from '../../domain/failure.js';
import type { Asking } from './asked.js';

/** Who decided something that is done once, and why. */
export interface Decided {
  readonly actor: string;
  readonly reason: string | null;
}

/**
 * A void has no row of its own that an id made of the Idempotency-Key could name. One that is asked for under a key, and that the
 * same actor has carried out for the same reason, is that request again, whose answer was lost: it is answered alike.
 * @param refusal says that it was done before
 * @throws whatever `work` throws
 */
export async function orDoneBefore(
  work: () => Promise<unknown>,
  { actor, key, reason }: Asking & { readonly reason: string },
  { refusal, decided }: { readonly refusal: FailureCode; readonly decided: () => Promise<Decided | null> },
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (key === null || !(error instanceof DomainFailure) || error.code !== refusal) throw error;
    const done = await decided();
    if (done?.actor !== actor || done.reason !== reason) throw error;
  }
}
