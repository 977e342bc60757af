-- Backfills as transactions, and decisions about dead letters. docs/design/DATA_MODEL.md explains every table.

-- Backfills -----------------------------------------------------------------------------------------------------------

ALTER TABLE backfills ADD COLUMN created_by text NOT NULL DEFAULT 'unknown';
ALTER TABLE backfills ADD COLUMN reason text;
ALTER TABLE backfills ADD COLUMN created_order bigint GENERATED ALWAYS AS IDENTITY;
CREATE INDEX backfills_order ON backfills (created_order);

ALTER TABLE backfill_decisions ADD COLUMN decided_by text NOT NULL DEFAULT 'unknown';
ALTER TABLE backfill_decisions ADD COLUMN reason text;

-- What a backfill says of each of its customers: found by customer, whatever the number of backfills and of their customers.
CREATE TABLE backfill_customers (
  customer_id     text NOT NULL,
  backfill_id     uuid NOT NULL REFERENCES backfills,
  mode            text NOT NULL,
  range_start     timestamptz NOT NULL,
  range_end       timestamptz NOT NULL,
  PRIMARY KEY (customer_id, backfill_id)
);
-- Of nearly every customer there is none, so aggregation asks without a cost.
CREATE INDEX backfill_customers_replace ON backfill_customers (customer_id) WHERE mode = 'replace';

CREATE FUNCTION list_backfill_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO backfill_customers
  SELECT DISTINCT c, NEW.backfill_id, NEW.mode, NEW.range_start, NEW.range_end FROM unnest(NEW.customer_ids) AS c;
  RETURN NULL;
END $$;
CREATE TRIGGER list_backfill_customers AFTER INSERT ON backfills FOR EACH ROW EXECUTE FUNCTION list_backfill_customers();

INSERT INTO backfill_customers
SELECT DISTINCT c, backfill_id, mode, range_start, range_end FROM backfills CROSS JOIN LATERAL unnest(customer_ids) AS c;

-- Whether a backfill that replaces, in force at the cutoff (NULL: now), takes away what the customer has at this time: an ordinary
-- event (backfill NULL), or an event of a backfill that was closed before it.
CREATE FUNCTION is_replaced_by_backfill(customer text, backfill uuid, at timestamptz, cutoff bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1 AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM backfill_customers m JOIN backfill_decisions c ON c.backfill_id = m.backfill_id AND c.decision = 'closed'
    WHERE m.customer_id = customer AND m.mode = 'replace' AND m.range_start <= at AND m.range_end > at
      AND (cutoff IS NULL OR c.position <= cutoff)
      AND NOT EXISTS (SELECT FROM backfill_decisions r
        WHERE r.backfill_id = m.backfill_id AND r.decision = 'reverted' AND (cutoff IS NULL OR r.position <= cutoff))
      AND (backfill IS NULL OR EXISTS (SELECT FROM backfill_decisions o
        WHERE o.backfill_id = backfill AND o.decision = 'closed' AND o.position < c.position)));
END $$;

-- The rows of a backfill. Ordinary events are not in it.
CREATE INDEX telemetry_events_backfill ON telemetry_events (backfill_id, customer_id, event_time) WHERE backfill_id IS NOT NULL;

-- Whoever appends rows of backfills holds their locks in shared mode until it commits; whoever decides about one holds it alone.
-- So no row of a backfill has a greater position than the decision that ends it.
CREATE FUNCTION backfill_lock(id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT hashtextextended(id::text, 0) $$;

-- In one order, as everybody takes them. A function, because the question must be asked after the locks are held.
CREATE FUNCTION require_open_backfills(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(backfill_lock(id)) FROM (SELECT id FROM unnest(ids) AS id ORDER BY id) AS sorted;
  IF EXISTS (SELECT FROM backfill_decisions WHERE backfill_id = ANY (ids)) THEN
    RAISE EXCEPTION 'a backfill is not open any more' USING ERRCODE = 'RK001';
  END IF;
END $$;

-- Dead letters --------------------------------------------------------------------------------------------------------

-- The backfill that the event was sent for: its replay belongs there too.
ALTER TABLE dead_letters ADD COLUMN backfill_id uuid;

-- What people decided. The last one says whether a dead letter is open: a replay that was rejected leaves it open, and
-- content that is rejected again after it was settled opens it again.
CREATE TABLE dead_letter_decisions (
  dead_letter_id  uuid NOT NULL REFERENCES dead_letters,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  decision        text NOT NULL CHECK (decision IN ('replayed', 'discarded', 'reopened')),
  outcome         text CHECK (outcome IN ('accepted', 'duplicate', 'rejected')),
  code            text,                          -- why a replay was rejected
  detail          text,
  payload         text,                          -- what was replayed in place of the kept payload
  decided_by      text NOT NULL,
  reason          text,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (dead_letter_id, sequence),
  CHECK ((decision = 'replayed') = (outcome IS NOT NULL)),
  CHECK ((outcome IS NOT DISTINCT FROM 'rejected') = (code IS NOT NULL)),
  CHECK (decision <> 'discarded' OR reason IS NOT NULL)
);

-- Append-only ---------------------------------------------------------------------------------------------------------

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['backfill_customers', 'dead_letter_decisions'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
