/** Credits at the gate: the customer's grants under a lock, and what documents draw as rows. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { decimal, toDecimalString } from '../domain/decimal.js';
import type { DecimalString } from '../domain/values.js';
import { grantsOfCustomer } from './credits-reads.js';
import type { CreditGrant } from './types.js';

/**
 * One transaction a customer draws, expires or takes back credits at a time. Always taken after the lock of a period and before
 * a number is drawn, so that nobody waits in a circle; not taken at all for a customer without grants.
 */
export async function lockCredits(client: pg.PoolClient, customerId: string): Promise<void> {
  const hex = createHash('sha256')
    .update(JSON.stringify(['credits', customerId]))
    .digest('hex');
  const key = BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`));
  await client.query(`SELECT pg_advisory_xact_lock(${key})`);
}

export class GateCredits {
  private isLocked = false;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly customerId: string,
    /** Whether the customer had a grant when the gate began; one that comes later is for later documents. */
    private readonly hasGrants: boolean,
  ) {}

  async lock(): Promise<void> {
    if (this.isLocked) return;
    await lockCredits(this.client, this.customerId);
    this.isLocked = true;
  }

  /** As they are once the lock is held. */
  async locked(): Promise<readonly CreditGrant[]> {
    if (!this.hasGrants) return [];
    await this.lock();
    return grantsOfCustomer(this.client, this.customerId);
  }
}

/** A row of `credit_draws` as JSON. */
export interface DrawRow {
  readonly invoice_id: string;
  readonly entry: 'issued' | 'voided';
  readonly draw_number: number;
  readonly grant_id: string;
  readonly amount: DecimalString;
}

export function drawsToDb(
  { invoiceId, creditDraws }: Pick<Invoice, 'invoiceId' | 'creditDraws'>,
  entry: DrawRow['entry'],
): readonly DrawRow[] {
  return creditDraws.map(({ grantId, amount }, index) => ({
    invoice_id: invoiceId,
    entry,
    draw_number: index + 1,
    grant_id: grantId,
    amount: entry === 'issued' ? amount : toDecimalString(decimal(amount).negated()),
  }));
}
