/** Counts of periods. The rows in Postgres are the truth; this is what was last seen of them. */
export interface PeriodCloseProgress {
  /** To be closed. */
  readonly planned: number;
  /** Found, but not ready: each is listed with its reason. */
  readonly notReady: number;
  /** Handed over to invoicing. */
  readonly requested: number;
  /** Not ready any more when their turn came. */
  readonly left: number;
  readonly issued: number;
  readonly held: number;
  readonly skipped: number;
  /** Somebody else had closed them meanwhile. */
  readonly alreadyInvoiced: number;
  /** Planned, and neither left nor decided by invoicing. */
  readonly remaining: number;
  /** Nothing more is handed over. */
  readonly cancelled: boolean;
}
