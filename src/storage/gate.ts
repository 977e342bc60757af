/** The gate: everything that issuing needs, in one transaction at one cutoff. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import type { PriceSegment, RatedCharge, SegmentUsage } from '../domain/rating/rating.js';
import type { DecimalString, Digest, GroupKey, Position } from '../domain/values.js';
import {
  type MeteringContext,
  meteringColumns,
  meteringContextFromDb,
  type MeteringRow,
} from './aggregation-meters.js';
import { appendRevisions, type RevisionResult } from './aggregation-revisions.js';
import { decimalSql, digestSql, digestValueSql } from './aggregation-sql-fragments.js';
import { appendCharges } from './charges.js';
import type { Database } from './database.js';
import { findingToDb } from './gate-findings.js';
import { withPeriodLocked } from './gate-lock.js';
import { GateWrites } from './gate-writes.js';
import { issuedInvoiceToDb } from './invoices-mapping.js';
import { findInvoice } from './invoices.js';
import { entryToDb } from './journal-mapping.js';
import type { BillingPeriod, GatePurpose, GateTransaction, InvoicingOutcome, NewFinding } from './types.js';

/**
 * Locks (customer, period), takes the cutoff and runs `work` in one transaction. Invoice, journal entry, outcome and findings
 * are written when `work` has ended, in one statement: what the database refuses about them rejects here.
 */
export function passGate<T>(
  db: Database,
  { period, purpose }: { readonly period: BillingPeriod; readonly purpose: GatePurpose },
  work: (gate: GateTransaction) => Promise<T>,
): Promise<T> {
  return withPeriodLocked(db, period, async (client, cutoff) => {
    const { rows } = await client.query<MeteringRow & { readonly tip: string | null; readonly small: boolean }>({
      name: 'gate-context',
      text: contextSql,
      values: [period.customerId, period.period, period.from, period.to],
    });
    const [row] = rows;
    invariant(row !== undefined, 'a SELECT without FROM has one row');
    const chainTip = row.tip === null ? null : await findInvoice(client, row.tip);
    const metering = meteringContextFromDb(row);
    const gate = new Gate(client, { period, purpose, cutoff, chainTip, metering, small: row.small });
    const result = await work(gate);
    await gate.flush();
    return result;
  });
}

/** Events up to which it does not matter whether they are sorted or hashed. */
const smallPeriodEvents = 10_000;

const contextSql = `SELECT ${meteringColumns},
  (SELECT invoice_id FROM invoices WHERE customer_id = $1 AND period = $2 ORDER BY chain_place DESC LIMIT 1) AS tip,
  (SELECT count(*) < ${smallPeriodEvents} FROM (SELECT FROM telemetry_events
    WHERE customer_id = $1 AND event_time >= $3 AND event_time < $4 LIMIT ${smallPeriodEvents}) AS e) AS small`;

interface GateFacts {
  readonly period: BillingPeriod;
  readonly purpose: GatePurpose;
  readonly cutoff: Position;
  readonly chainTip: Invoice | null;
  readonly metering: MeteringContext;
  readonly small: boolean;
}

class Gate implements GateTransaction {
  private readonly writes = new GateWrites();
  private brought: Promise<RevisionResult> | null = null;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly facts: GateFacts,
  ) {}

  get cutoff(): Position {
    return this.facts.cutoff;
  }

  get chainTip(): Invoice | null {
    return this.facts.chainTip;
  }

  async bringWindowsToCutoff(): Promise<number> {
    return (await this.atCutoff()).revisions;
  }

  /** Once a gate: the cutoff does not move. */
  private atCutoff(): Promise<RevisionResult> {
    const { cutoff, metering, period, purpose, small } = this.facts;
    this.brought ??= appendRevisions(this.client, {
      ...metering,
      period,
      windows: null,
      small,
      cutoff,
      accumulatedThrough: null,
      final: purpose === 'issue',
    });
    return this.brought;
  }

  async segmentUsage(segments: readonly PriceSegment[]): Promise<readonly SegmentUsage[]> {
    await this.atCutoff();
    const { metering, period } = this.facts;
    const { rows } = await this.client.query<SegmentRow>({
      name: 'segment-usage',
      text: segmentUsageSql,
      values: [
        period.customerId,
        period.period,
        segments.map((segment) => segment.from),
        segments.map((segment) => segment.to),
        metering.meters.map((meter) => meter.meterId),
      ],
    });
    return rows.map(segmentUsageFromDb);
  }

  async unreadableValues(): Promise<RevisionResult['unreadable']> {
    return (await this.atCutoff()).unreadable;
  }

  storeCharges(charges: readonly RatedCharge[]): Promise<readonly string[]> {
    const { cutoff, metering, period } = this.facts;
    return appendCharges(this.client, { period, meters: metering.meters, cutoff, charges });
  }

  async drawNumber(series: string): Promise<number> {
    const { rows } = await this.client.query<{ last_number: string }>({
      name: 'draw-number',
      text: `INSERT INTO number_sequences AS s (series, last_number) VALUES ($1, 1)
        ON CONFLICT (series) DO UPDATE SET last_number = s.last_number + 1 RETURNING last_number`,
      values: [series],
    });
    const number = Number(rows[0]?.last_number);
    invariant(Number.isSafeInteger(number), `series "${series}" gives a number`);
    return number;
  }

  insertInvoice(invoice: Invoice, actor: string): Promise<void> {
    this.writes.addInvoice(issuedInvoiceToDb(invoice, actor));
    return Promise.resolve();
  }

  postEntry(entry: JournalEntry): Promise<void> {
    this.writes.addEntry(entryToDb(entry));
    return Promise.resolve();
  }

  recordOutcome(requestId: string, outcome: InvoicingOutcome, invoiceId: string | null): Promise<void> {
    this.writes.addOutcome({ request_id: requestId, outcome, invoice_id: invoiceId });
    return Promise.resolve();
  }

  storeFinding(finding: NewFinding): Promise<void> {
    this.writes.addFinding(findingToDb(finding));
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return this.writes.flush(this.client);
  }
}

interface SegmentRow {
  readonly meter: string;
  readonly group_key: GroupKey;
  readonly segment: number;
  readonly quantity: DecimalString;
  readonly event_count: string;
  readonly digest: Digest;
  readonly crosses: boolean;
}

function segmentUsageFromDb(row: SegmentRow): SegmentUsage {
  invariant(!row.crosses, `a window of "${row.meter}" does not lie in price segment ${row.segment}`);
  return {
    meter: row.meter,
    group: row.group_key,
    segment: row.segment,
    quantity: row.quantity,
    eventCount: Number(row.event_count),
    digest: row.digest,
  };
}

/**
 * Windows were just brought to the cutoff under the lock, so the latest revisions are those at the cutoff. Segments tile the
 * period and change only at bounds of windows (DESIGN 3); `crosses` would say otherwise.
 */
const segmentUsageSql = `WITH latest AS (
  SELECT DISTINCT ON (meter_id, window_start, group_key) meter_id, window_start, window_end, group_key, quantity, event_count, digest
  FROM aggregated_usage WHERE customer_id = $1 AND period = $2 AND meter_id = ANY ($5::uuid[])
  ORDER BY meter_id, window_start, group_key, revision DESC),
placed AS (
  SELECT *, width_bucket(window_start, $3::timestamptz[]) AS bucket FROM latest WHERE event_count > 0)
SELECT m.code AS meter, p.group_key, p.bucket - 1 AS segment, ${decimalSql('sum(p.quantity)')} AS quantity,
  sum(p.event_count) AS event_count, ${digestSql(`sum(${digestValueSql('p.digest')})`)} AS digest,
  bool_or((p.window_end <= ($4::timestamptz[])[p.bucket]) IS NOT TRUE) AS crosses
FROM placed p JOIN meters m USING (meter_id)
GROUP BY m.code, p.group_key, p.bucket ORDER BY m.code, p.group_key, p.bucket`;
