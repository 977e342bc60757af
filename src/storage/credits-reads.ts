/** Reading credit grants and what happened to them. */
import type pg from 'pg';
import { compareGrants } from '../domain/credits/eligible.js';
import type { CreditType } from '../domain/credits/grant.js';
import type { DecimalString, Instant } from '../domain/values.js';
import { decimalSql } from './aggregation-sql-fragments.js';
import { filtered, mapPage, newestFirst } from './paging.js';
import type { CreditGrant, CreditHistory, CreditMismatch, Page, PageRequest } from './types.js';

type Queryable = pg.Pool | pg.PoolClient;

interface GrantRow {
  readonly grant_id: string;
  readonly customer_id: string;
  readonly currency: string;
  readonly type: CreditType;
  readonly amount: DecimalString;
  readonly priority: number;
  readonly effective_from: Instant;
  readonly expires_at: Instant | null;
  readonly roll_over_cap: DecimalString | null;
  readonly roll_over_validity: string | null;
  readonly name: string;
  readonly reason: string | null;
  readonly rolled_over_from: string | null;
  readonly granted_by: string;
  readonly granted_at: Instant;
  readonly balance: DecimalString;
  readonly is_void: boolean;
}

/** Grants with their balance; conditions on `g` may follow. */
const grantSql = `SELECT g.*, ${decimalSql('credit_balance(g.grant_id)')} AS balance,
    EXISTS (SELECT FROM credit_grant_voids v WHERE v.grant_id = g.grant_id) AS is_void
  FROM credit_grants g`;

function grantFromDb(row: GrantRow): CreditGrant {
  const { roll_over_cap: cap, roll_over_validity: validity } = row;
  return {
    grantId: row.grant_id,
    customerId: row.customer_id,
    currency: row.currency,
    type: row.type,
    amount: row.amount,
    priority: row.priority,
    effectiveFrom: row.effective_from,
    expiresAt: row.expires_at,
    rollOver: cap === null || validity === null ? null : { cap, validity },
    name: row.name,
    reason: row.reason,
    rolledOverFrom: row.rolled_over_from,
    grantedBy: row.granted_by,
    grantedAt: row.granted_at,
    balance: row.balance,
    isVoid: row.is_void,
  };
}

export async function findGrant(db: Queryable, grantId: string): Promise<CreditGrant | null> {
  const { rows } = await db.query<GrantRow>(`${grantSql} WHERE g.grant_id = $1`, [grantId]);
  return rows[0] === undefined ? null : grantFromDb(rows[0]);
}

/** In the order in which they are drawn. */
export async function grantsOfCustomer(db: Queryable, customerId: string): Promise<readonly CreditGrant[]> {
  const { rows } = await db.query<GrantRow>({
    name: 'credit-grants-of-customer',
    text: `${grantSql} WHERE g.customer_id = $1`,
    values: [customerId],
  });
  return rows.map(grantFromDb).sort(compareGrants);
}

export async function listGrants(
  db: Queryable,
  { customerId }: { readonly customerId?: string },
  page: PageRequest,
): Promise<Page<CreditGrant>> {
  const list = { sql: grantSql, name: 'credit-grants', at: 'g.granted_at', id: 'g.grant_id' };
  const where = filtered({ 'g.customer_id': customerId });
  return mapPage(await newestFirst<GrantRow>(db, { ...list, where }, page), grantFromDb);
}

export async function historyOf(db: Queryable, grantId: string): Promise<CreditHistory> {
  const draws = await db.query<CreditHistory['draws'][number]>(
    `SELECT d.invoice_id AS "invoiceId", i.number, d.entry, d.amount, d.drawn_at AS "drawnAt"
     FROM credit_draws d JOIN invoices i USING (invoice_id)
     WHERE d.grant_id = $1 ORDER BY d.drawn_at, i.customer_id, i.period, i.chain_place, d.entry, d.draw_number`,
    [grantId],
  );
  const expiries = await db.query<CreditHistory['expiries'][number]>(
    `SELECT sequence, amount, rolled_over AS "rolledOver", rolled_over_to AS "rolledOverTo", expired_at AS "expiredAt"
     FROM credit_expiries WHERE grant_id = $1 ORDER BY sequence`,
    [grantId],
  );
  const voids = await db.query<CreditHistory['voids'][number]>(
    `SELECT sequence, amount, reason, voided_by AS "voidedBy", voided_at AS "voidedAt"
     FROM credit_grant_voids WHERE grant_id = $1 ORDER BY sequence`,
    [grantId],
  );
  return { draws: draws.rows, expiries: expiries.rows, voids: voids.rows };
}

export async function creditMismatches(db: Queryable): Promise<readonly CreditMismatch[]> {
  const { rows } = await db.query<CreditMismatch>(
    `SELECT customer_id AS "customerId", currency,
       ${decimalSql('coalesce(b.balances, 0)')} AS balances, ${decimalSql('coalesce(a.account, 0)')} AS account
     FROM (SELECT customer_id, currency, sum(credit_balance(grant_id)) AS balances
       FROM credit_grants GROUP BY customer_id, currency) AS b
     FULL JOIN (SELECT e.customer_id, p.currency, -sum(p.amount) AS account
       FROM postings p JOIN journal_entries e USING (entry_id)
       WHERE p.account = 'customer_credit' GROUP BY e.customer_id, p.currency) AS a USING (customer_id, currency)
     WHERE coalesce(b.balances, 0) <> coalesce(a.account, 0)
     ORDER BY 1, 2`,
  );
  return rows;
}
