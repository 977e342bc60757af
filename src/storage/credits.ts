/** Credit grants: granted, taken back, ended. They are drawn at the gate, in the transaction of a document. */
import type pg from 'pg';
import { expire } from '../domain/credits/expire.js';
import type { CreditTerms } from '../domain/credits/grant.js';
import { zero } from '../domain/decimal.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import { creditVoidEntry, expiryEntry, grantEntry } from '../domain/ledger/credit-entries.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import { lockCredits } from './credits-gate.js';
import { creditMismatches, findGrant, grantsOfCustomer, historyOf, listGrants } from './credits-reads.js';
import type { Database } from './database.js';
import { GateWrites } from './gate-writes.js';
import { uuidOf } from './identifiers.js';
import { entryToDb } from './journal-mapping.js';
import { cursorPart } from './paging.js';
import { isSettledEmptySql, lastRequestSql } from './periods-stage.js';
import { automaticActor, type CreditGrant, type CreditStore } from './types.js';

export function createCreditStore(db: Database): CreditStore {
  return {
    grant: (terms, postingDate) => grant(db, terms, postingDate),
    find: async (grantId) => (cursorPart.uuid(grantId) ? findGrant(db.pool, grantId) : null),
    historyOf: (grantId) => historyOf(db.pool, grantId),
    list: (filter, page) => listGrants(db.pool, filter, page),
    ofCustomer: (customerId) => grantsOfCustomer(db.pool, customerId),
    voidGrant: (grantId, decision) => voidGrant(db, { grantId, ...decision }),
    endable: async (now, { after, limit }) => {
      const { rows } = await db.pool.query<{ readonly grant_id: string }>(
        `SELECT g.grant_id FROM credit_grants g WHERE g.grant_id > $2::uuid AND ${endableSql('$1')}
         ORDER BY g.grant_id LIMIT $3`,
        [now, after, limit],
      );
      return rows.map((row) => row.grant_id);
    },
    end: (grantId, at) => end(db, { grantId, ...at }),
    mismatches: () => creditMismatches(db.pool),
  };
}

function grant(db: Database, terms: CreditTerms, postingDate: LocalDate): Promise<{ readonly created: boolean }> {
  return db.transaction(async (client) => {
    const created = await insertGrant(client, terms);
    if (created) await post(client, [grantEntry(terms, postingDate)]);
    return { created };
  });
}

async function insertGrant(client: pg.PoolClient, terms: CreditTerms): Promise<boolean> {
  const { rowCount } = await client.query(
    `INSERT INTO credit_grants (grant_id, customer_id, currency, type, amount, priority, effective_from, expires_at,
       roll_over_cap, roll_over_validity, name, reason, rolled_over_from, granted_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (grant_id) DO NOTHING`,
    [
      terms.grantId,
      terms.customerId,
      terms.currency,
      terms.type,
      terms.amount,
      terms.priority,
      terms.effectiveFrom,
      terms.expiresAt,
      terms.rollOver?.cap ?? null,
      terms.rollOver?.validity ?? null,
      terms.name,
      terms.reason,
      terms.rolledOverFrom,
      terms.grantedBy,
    ],
  );
  return rowCount === 1;
}

async function post(client: pg.PoolClient, entries: readonly (JournalEntry | null)[]): Promise<void> {
  const writes = new GateWrites();
  for (const entry of entries) {
    if (entry !== null) writes.entries.push(entryToDb(entry));
  }
  await writes.flush(client);
}

interface VoidDecision {
  readonly grantId: string;
  readonly reason: string;
  readonly voidedBy: string;
  readonly postingDate: LocalDate;
}

async function voidGrant(db: Database, decision: VoidDecision): Promise<void> {
  const { grantId } = decision;
  await db.transaction(async (client) => {
    const found = cursorPart.uuid(grantId) ? await lockedGrant(client, grantId) : null;
    if (found === null) {
      throw new DomainFailure('CREDIT_GRANT_NOT_FOUND', `There is no credit grant "${grantId}".`);
    }
    if (found.isVoid) throw new DomainFailure('CREDIT_GRANT_VOID', `The credit grant ${grantId} is void already.`);
    await takeBack(client, found, decision);
  });
}

/** As it is once the customer's credits are locked. */
async function lockedGrant(client: pg.PoolClient, grantId: string): Promise<CreditGrant | null> {
  const found = await findGrant(client, grantId);
  if (found === null) return null;
  await lockCredits(client, found.customerId);
  return findGrant(client, grantId);
}

async function takeBack(
  client: pg.PoolClient,
  found: CreditGrant,
  { reason, voidedBy, postingDate }: VoidDecision,
): Promise<void> {
  const { grantId, balance: amount } = found;
  const sequence = await nextSequence(client, 'credit_grant_voids', grantId);
  await client.query(
    'INSERT INTO credit_grant_voids (grant_id, sequence, amount, reason, voided_by) VALUES ($1, $2, $3, $4, $5)',
    [grantId, sequence, amount, reason, voidedBy],
  );
  await post(client, [creditVoidEntry(found, { sequence, amount }, postingDate)]);
}

async function nextSequence(
  client: pg.PoolClient,
  table: 'credit_grant_voids' | 'credit_expiries',
  grantId: string,
): Promise<number> {
  const { rows } = await client.query<{ readonly next: number }>(
    `SELECT coalesce(max(sequence), 0) + 1 AS next FROM ${table} WHERE grant_id = $1`,
    [grantId],
  );
  return rows[0]?.next ?? 1;
}

/**
 * Condition on `g`: something is left that no document can draw any more. Periods that end while the grant holds and are not
 * invoiced could: also one whose invoice was voided, because closing it again draws what the void has given back. A skipped one
 * has no document. Usage that was accepted and that the relay has not come to yet may be of a period that is not stored.
 */
function endableSql(now: string): string {
  return `credit_balance(g.grant_id) > 0 AND (
    EXISTS (SELECT FROM credit_grant_voids v WHERE v.grant_id = g.grant_id)
    OR g.expires_at <= ${now} AND NOT EXISTS (
      SELECT FROM billing_periods p
      WHERE p.customer_id = g.customer_id AND p.period_end > g.effective_from AND p.period_end <= g.expires_at
        AND NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = p.customer_id AND i.period = p.period
          AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void'))
        AND NOT EXISTS (SELECT FROM (${lastRequestSql('p.customer_id', 'p.period')}) AS r WHERE ${isSettledEmptySql}))
      AND NOT EXISTS (
        SELECT FROM telemetry_events e
        WHERE e.customer_id = g.customer_id AND e.event_time < g.expires_at
          AND e.position > least((SELECT coalesce(min(c.position), 0) FROM relay_cursors c),
            (SELECT min(s.from_position) FROM relay_set_aside s WHERE s.customer_id = g.customer_id))
          AND NOT EXISTS (SELECT FROM billing_periods p WHERE p.customer_id = e.customer_id
            AND p.period_start <= e.event_time AND e.event_time < p.period_end)))`;
}

interface Ending {
  readonly grantId: string;
  readonly now: Instant;
  readonly postingDate: LocalDate;
}

async function end(db: Database, { grantId, now, postingDate }: Ending): Promise<void> {
  await db.transaction(async (client) => {
    const found = await lockedGrant(client, grantId);
    if (found === null) return;
    const { rows } = await client.query<{ readonly endable: boolean }>(
      `SELECT ${endableSql('$2::timestamptz')} AS endable FROM credit_grants g WHERE g.grant_id = $1`,
      [grantId, now],
    );
    if (rows[0]?.endable !== true) return;
    if (found.isVoid) {
      const reason = 'restored after the grant was voided';
      await takeBack(client, found, { grantId, reason, voidedBy: automaticActor, postingDate });
    } else await expireGrant(client, found, postingDate);
  });
}

async function expireGrant(client: pg.PoolClient, found: CreditGrant, postingDate: LocalDate): Promise<void> {
  const { grantId, balance: remainder } = found;
  const sequence = await nextSequence(client, 'credit_expiries', grantId);
  const { amount, rolledOver } = expire(found, {
    remainder,
    rolledOverBefore: await rolledOverBefore(client, grantId),
  });
  const next =
    rolledOver === null
      ? null
      : { ...rolledOver, grantId: uuidOf('credit-roll-over', grantId, sequence), grantedBy: automaticActor };
  if (next !== null) {
    invariant(await insertGrant(client, next), `credit grant ${grantId} rolls over once a time`);
  }
  await client.query(
    'INSERT INTO credit_expiries (grant_id, sequence, amount, rolled_over, rolled_over_to) VALUES ($1, $2, $3, $4, $5)',
    [grantId, sequence, amount, next?.amount ?? zero, next?.grantId ?? null],
  );
  await post(client, [expiryEntry(found, { sequence, amount, rolledOver: next?.amount ?? zero }, postingDate)]);
}

async function rolledOverBefore(client: pg.PoolClient, grantId: string): Promise<DecimalString> {
  const { rows } = await client.query<{ readonly sum: DecimalString | null }>(
    'SELECT sum(rolled_over) FROM credit_expiries WHERE grant_id = $1',
    [grantId],
  );
  return rows[0]?.sum ?? zero;
}
