/** Whom a rollout includes, of all customers whose price book it is. */
import { membershipIn } from '../../billing/price-rollouts.js';
import type { PriceRollout } from '../../domain/rollout/rollout.js';
import type { PriceBookCustomer, Storage } from '../../storage/types.js';

const pageSize = 5_000;

async function* customersOf({ rollouts }: Pick<Storage, 'rollouts'>, code: string): AsyncGenerator<PriceBookCustomer> {
  for (let after: string | null = null; ;) {
    const page: readonly PriceBookCustomer[] = await rollouts.customersOf(code, { after, limit: pageSize });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.customerId;
  }
}

export interface RolloutMembers {
  /** Customers whose price book it is. */
  readonly customers: number;
  /** Those of them whom a stage includes, now or when it begins; nobody once it is taken back. */
  readonly members: readonly string[];
}

export async function membersOf(
  storage: Pick<Storage, 'rollouts'>,
  rollout: PriceRollout & { readonly code: string },
): Promise<RolloutMembers> {
  let customers = 0;
  const members: string[] = [];
  for await (const customer of customersOf(storage, rollout.code)) {
    customers += 1;
    const { included, until } = membershipIn(rollout, customer);
    if (included !== null && until === null) members.push(customer.customerId);
  }
  return { customers, members };
}
