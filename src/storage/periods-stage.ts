/** The stage of a billing period, which is never stored: it follows from its invoice and from the last request for one. */

/**
 * For FROM: the last request to invoice a period, and what became of it (`outcome` NULL: nothing yet). It decides, so that a period
 * which was held or skipped is asked about again when more usage comes. No row: nobody has asked.
 */
export function lastRequestSql(customer: string, period: string): string {
  return `SELECT q.request_id, q.requested_at, d.outcome, d.cutoff_position, d.decided_at
    FROM invoicing_requests q LEFT JOIN invoicing_outcomes d USING (request_id)
    WHERE q.customer_id = ${customer} AND q.period = ${period} ORDER BY q.request_order DESC LIMIT 1`;
}

/**
 * The `BillingPeriodStage` of the period `p`, by its last request `r` (`lastRequestSql`) and its last original `o` (`lastOriginalSql`).
 * The last request of a void period is the one that its invoice came from. NULL: its outcome comes with an invoice, and there is none.
 */
export const stageSql = `CASE
        WHEN NOT o.voided THEN 'invoiced'
        WHEN r.request_id IS NOT NULL AND r.outcome IS NULL THEN 'ready'
        WHEN r.outcome IN ('held', 'skipped') THEN r.outcome
        WHEN o.voided THEN 'void'
        WHEN r.outcome IS NOT NULL THEN NULL
        WHEN p.period_end <= now() THEN 'closing'
        ELSE 'open'
      END`;

/**
 * Whether the last request `r` of the period `p` has found it empty for good, as far as nothing is learned since (RULES 64): what a
 * forced close skips before the period's end is asked about at its end.
 */
export const isSettledEmptySql = `(r.outcome = 'skipped' AND r.decided_at >= p.period_end)`;
