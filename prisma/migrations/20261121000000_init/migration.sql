-- Reckoner: first schema. docs/design/DATA_MODEL.md explains every table.
--
-- Two kinds of tables:
--   * facts (append-only): the database itself refuses UPDATE, DELETE and TRUNCATE (refuse_change, at the end);
--   * control rows (mutable): relay cursors, usage ranges, number sequences, idempotency keys. They say how far some
--     work has come; losing one costs work, never money.

-- One global sequence numbers all facts of the usage ledger. CACHE 1 is part of the safe-horizon proof: a backend that
-- cached values could publish a low position after the horizon had passed it.
CREATE SEQUENCE ledger_position AS bigint START 1 CACHE 1;

-- Reference facts -----------------------------------------------------------------------------------------------------

CREATE TABLE customers (
  customer_id       text PRIMARY KEY CHECK (char_length(customer_id) BETWEEN 1 AND 128),
  partition         smallint NOT NULL CHECK (partition BETWEEN 0 AND 63),
  created_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE customer_versions (
  customer_version_id   uuid PRIMARY KEY,
  customer_id           text NOT NULL REFERENCES customers,
  version               integer NOT NULL CHECK (version >= 1),
  name                  text NOT NULL,
  currency              text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  time_zone             text NOT NULL,
  billing_anchor_day    smallint NOT NULL CHECK (billing_anchor_day BETWEEN 1 AND 31),
  -- From this boundary on the zone and anchor of this version hold; NULL: since always.
  calendar_from         timestamptz,
  billing_from          date NOT NULL,
  price_book            text NOT NULL,
  invoice_delay         text NOT NULL,
  late_usage_quiet_time text NOT NULL,
  skip_empty_invoices   boolean NOT NULL,
  approval_threshold    numeric,
  tags                  jsonb NOT NULL,
  buyer                 jsonb NOT NULL,
  learned_at            timestamptz NOT NULL DEFAULT now(),
  UNIQUE (customer_id, version)
);

CREATE TABLE meters (
  meter_id          uuid PRIMARY KEY,
  code              text NOT NULL,
  version           integer NOT NULL CHECK (version >= 1),
  event_type        text NOT NULL,
  aggregation       text NOT NULL CHECK (aggregation IN ('count', 'sum', 'min', 'max', 'latest', 'unique_count', 'weighted_sum')),
  value_property    text,
  group_by          text[] NOT NULL,
  filters           jsonb NOT NULL,
  window_size       text NOT NULL CHECK (window_size IN ('hour', 'day', 'month')),
  allowed_lateness  text NOT NULL,
  allow_negative    boolean NOT NULL,
  learned_at        timestamptz NOT NULL DEFAULT now(),
  UNIQUE (code, version)
);
CREATE INDEX meters_event_type ON meters (event_type);

CREATE TABLE price_books (
  price_book_id       uuid PRIMARY KEY,
  code                text NOT NULL,
  version             text NOT NULL,
  currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  -- Exactly one of the two: an instant, or a local date that means midnight in each customer's zone (RULES 19).
  effective_from      timestamptz,
  effective_from_date date,
  effective_until     timestamptz,
  rounding            text NOT NULL,
  prices              jsonb NOT NULL,
  content_hash        text NOT NULL,
  -- Order of learning: of two versions with the same effective_from the one learned last holds (RULES 21).
  learned_order       bigint GENERATED ALWAYS AS IDENTITY,
  learned_at          timestamptz NOT NULL DEFAULT now(),
  UNIQUE (code, version),
  CHECK ((effective_from IS NULL) <> (effective_from_date IS NULL))
);

CREATE TABLE price_book_assignments (
  assignment_id     uuid PRIMARY KEY,
  customer_id       text NOT NULL REFERENCES customers,
  price_book        text NOT NULL,
  effective_from    timestamptz, -- NULL: from the beginning
  learned_order     bigint GENERATED ALWAYS AS IDENTITY,
  learned_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_book_assignments_customer ON price_book_assignments (customer_id);

-- A period's name and bounds are stored when it is created and never recomputed (RULES 22).
CREATE TABLE billing_periods (
  customer_id         text NOT NULL REFERENCES customers,
  period              date NOT NULL,
  period_start        timestamptz NOT NULL,
  period_end          timestamptz NOT NULL,
  customer_version_id uuid NOT NULL REFERENCES customer_versions,
  time_zone           text NOT NULL,
  tzdata_version      text NOT NULL,
  -- Local midnights inside the period that do not fall on a full hour of UTC: there an hour is cut in two (DESIGN 3).
  cuts                timestamptz[] NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, period),
  UNIQUE (customer_id, period_start),
  UNIQUE (customer_id, period_end),
  CHECK (period_start < period_end)
);

-- Usage ledger --------------------------------------------------------------------------------------------------------

-- No foreign key to customers: customers can never be deleted, ingest checks them, and the key would cost every event a
-- look-up (ADR-005). partition is the stored distribution key (a fixed hash of the customer modulo 64).
CREATE TABLE telemetry_events (
  customer_id     text NOT NULL,
  source          text NOT NULL,
  event_id        text NOT NULL,
  partition       smallint NOT NULL,
  position        bigint NOT NULL DEFAULT nextval('ledger_position'),
  event_type      text NOT NULL,
  event_time      timestamptz NOT NULL,
  ingestion_time  timestamptz NOT NULL DEFAULT now(),
  content_hash    bigint NOT NULL CHECK (content_hash >= 0),
  metadata        jsonb NOT NULL,
  backfill_id     uuid,
  request_id      text,
  user_id         text,
  trace_id        text,
  PRIMARY KEY (customer_id, source, event_id)
) PARTITION BY HASH (customer_id);
DO $$ BEGIN
  FOR i IN 0..7 LOOP
    EXECUTE format('CREATE TABLE telemetry_events_%s PARTITION OF telemetry_events FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
  END LOOP;
END $$;
CREATE INDEX telemetry_events_position ON telemetry_events (position);
CREATE INDEX telemetry_events_time ON telemetry_events (customer_id, event_time);

CREATE TABLE backfills (
  backfill_id     uuid PRIMARY KEY,
  customer_ids    text[] NOT NULL,
  range_start     timestamptz NOT NULL,
  range_end       timestamptz NOT NULL,
  mode            text NOT NULL CHECK (mode IN ('add', 'replace')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  CHECK (range_start < range_end)
);

-- Facts with positions of their own: a backfill's rows count from its closing on, until its reversion.
CREATE TABLE backfill_decisions (
  backfill_id     uuid NOT NULL REFERENCES backfills,
  decision        text NOT NULL CHECK (decision IN ('closed', 'reverted')),
  position        bigint NOT NULL UNIQUE DEFAULT nextval('ledger_position'),
  decided_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (backfill_id, decision)
);

-- The last adjustment at or below a cutoff decides what an event is (DESIGN 3, cutoff).
CREATE TABLE event_adjustments (
  adjustment_id             uuid PRIMARY KEY,
  customer_id               text NOT NULL,
  source                    text NOT NULL,
  event_id                  text NOT NULL,
  partition                 smallint NOT NULL,
  position                  bigint NOT NULL UNIQUE DEFAULT nextval('ledger_position'),
  type                      text NOT NULL CHECK (type IN ('void', 'amend')),
  replacement_event_type    text,
  replacement_event_time    timestamptz,
  replacement_metadata      jsonb,
  replacement_content_hash  bigint,
  reason                    text,
  created_at                timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, source, event_id) REFERENCES telemetry_events,
  CHECK ((type = 'amend') = (replacement_event_type IS NOT NULL)),
  CHECK ((type = 'amend') = (replacement_event_time IS NOT NULL)),
  CHECK ((type = 'amend') = (replacement_metadata IS NOT NULL)),
  CHECK ((type = 'amend') = (replacement_content_hash IS NOT NULL))
);
CREATE INDEX event_adjustments_event ON event_adjustments (customer_id, source, event_id, position);

-- What could not be taken. The same rejected content is kept once.
CREATE TABLE dead_letters (
  dead_letter_id  uuid PRIMARY KEY,
  code            text NOT NULL,
  detail          text NOT NULL,
  customer_id     text,
  event_id        text,
  payload         text NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  received_order  bigint GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX dead_letters_order ON dead_letters (received_order);

-- Relay (control rows) ------------------------------------------------------------------------------------------------

CREATE TABLE relay_cursors (
  partition_group   text PRIMARY KEY,
  position          bigint NOT NULL,
  epoch             bigint NOT NULL,  -- fencing: only the holder of the newest epoch may move the cursor
  updated_at        timestamptz NOT NULL DEFAULT now()
);

-- The plan: contiguous ranges (from, to] of one customer and period, with what they add.
CREATE TABLE usage_ranges (
  customer_id     text NOT NULL,
  period          date NOT NULL,
  from_position   bigint NOT NULL,
  to_position     bigint NOT NULL,
  event_count     bigint NOT NULL,
  max_event_time  timestamptz,
  sums            jsonb,                -- NULL: too much to carry, look in the ledger
  planned_at      timestamptz NOT NULL DEFAULT now(),
  delivered_at    timestamptz,
  PRIMARY KEY (customer_id, period, to_position),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods,
  CHECK (from_position < to_position)
);
CREATE INDEX usage_ranges_undelivered ON usage_ranges (customer_id, period) WHERE delivered_at IS NULL;

-- Aggregation and rating ----------------------------------------------------------------------------------------------

CREATE TABLE aggregated_usage (
  aggregation_id        uuid PRIMARY KEY,
  customer_id           text NOT NULL,
  period                date NOT NULL,
  meter_id              uuid NOT NULL REFERENCES meters,
  window_start          timestamptz NOT NULL,
  window_end            timestamptz NOT NULL,  -- the cutoff in event time (exclusive)
  group_key             jsonb NOT NULL,
  revision              integer NOT NULL CHECK (revision >= 1),
  quantity              numeric NOT NULL,
  event_count           bigint NOT NULL,
  digest                text NOT NULL CHECK (digest ~ '^[0-9a-f]{16}$'),
  cutoff_position       bigint NOT NULL,       -- the cutoff in ledger order (inclusive)
  accumulated_position  bigint,                -- the last range the workflow had applied, when it closed the window
  is_final              boolean NOT NULL,
  created_at            timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods,
  UNIQUE (customer_id, period, meter_id, window_start, group_key, revision),
  CHECK (window_start < window_end)
);

CREATE TABLE rated_charges (
  charge_id             uuid PRIMARY KEY,
  customer_id           text NOT NULL,
  period                date NOT NULL,
  meter_id              uuid REFERENCES meters,
  group_key             jsonb NOT NULL,
  price_book_id         uuid NOT NULL REFERENCES price_books,
  charge_key            text NOT NULL,
  revision              integer NOT NULL CHECK (revision >= 1),
  supersedes_charge_id  uuid REFERENCES rated_charges,
  quantity              numeric NOT NULL,
  amount                numeric NOT NULL,      -- not rounded: rounding happens once, at the invoice line
  currency              text NOT NULL,
  event_count           bigint NOT NULL,
  digest                text NOT NULL,
  cutoff_position       bigint NOT NULL,
  calculation_metadata  jsonb NOT NULL,
  created_at            timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods,
  UNIQUE (customer_id, period, charge_key, revision)
);

-- Invoicing -----------------------------------------------------------------------------------------------------------

-- Who asked for which period to be invoiced; the invoicing workflow of the billing day works them off.
CREATE TABLE invoicing_requests (
  request_id      uuid PRIMARY KEY,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  billing_day     date NOT NULL,
  forced          boolean NOT NULL,
  reason          text,
  request_order   bigint GENERATED ALWAYS AS IDENTITY,
  requested_at    timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);
CREATE INDEX invoicing_requests_day ON invoicing_requests (billing_day, request_order);
CREATE INDEX invoicing_requests_period ON invoicing_requests (customer_id, period);

CREATE TABLE invoices (
  invoice_id            uuid PRIMARY KEY,
  number                text NOT NULL UNIQUE,
  type                  text NOT NULL CHECK (type IN ('invoice', 'correction', 'credit_note')),
  customer_id           text NOT NULL,
  period                date NOT NULL,
  chain_place           integer NOT NULL CHECK (chain_place >= 1),
  corrects_invoice_id   uuid REFERENCES invoices,
  replaces_invoice_id   uuid REFERENCES invoices,
  period_start          timestamptz NOT NULL,
  period_end            timestamptz NOT NULL,
  time_zone             text NOT NULL,
  currency              text NOT NULL,
  subtotal              numeric NOT NULL,
  credits               numeric NOT NULL,
  tax                   numeric NOT NULL,
  total                 numeric NOT NULL,
  seller                jsonb NOT NULL,
  buyer                 jsonb NOT NULL,
  payment_terms         text NOT NULL,
  cutoff_position       bigint NOT NULL,
  pinned_versions       jsonb NOT NULL,
  document_hash         text NOT NULL,
  issued_at             timestamptz NOT NULL,
  due_at                timestamptz NOT NULL,
  created_at            timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods,
  UNIQUE (customer_id, period, chain_place),
  CHECK ((type = 'invoice') = (corrects_invoice_id IS NULL))
);
CREATE INDEX invoices_issued ON invoices (issued_at, invoice_id);

CREATE TABLE invoice_line_items (
  line_item_id            uuid PRIMARY KEY,
  invoice_id              uuid NOT NULL REFERENCES invoices,
  line_number             integer NOT NULL CHECK (line_number >= 1),
  line_key                text NOT NULL,       -- meter or fee name and pricing group: a line's identity in its chain (RULES 26)
  description             text NOT NULL,
  meter                   text,
  group_key               jsonb NOT NULL,
  service_from            timestamptz NOT NULL,
  service_to              timestamptz NOT NULL,
  quantity                numeric,
  amount                  numeric NOT NULL,
  currency                text NOT NULL,
  original_amount         numeric,
  corrected_amount        numeric,
  reason                  text,
  corrects_line_item_id   uuid REFERENCES invoice_line_items,
  charge_ids              uuid[] NOT NULL,
  calculation_metadata    jsonb NOT NULL,
  created_at              timestamptz NOT NULL DEFAULT now(),
  UNIQUE (invoice_id, line_number),
  UNIQUE (invoice_id, line_key)
);

-- An array has no foreign key: charges are never deleted, so looking once, at the insert, is as good.
CREATE FUNCTION require_charges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM unnest(NEW.charge_ids) AS c(id) LEFT JOIN rated_charges r ON r.charge_id = c.id WHERE r.charge_id IS NULL) THEN
    RAISE foreign_key_violation USING MESSAGE = format('line item %s names a charge that does not exist', NEW.line_item_id);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER require_charges BEFORE INSERT ON invoice_line_items FOR EACH ROW EXECUTE FUNCTION require_charges();

-- A status is never stored on the invoice: it is the last transition.
CREATE TABLE invoice_transitions (
  invoice_id      uuid NOT NULL REFERENCES invoices,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  status          text NOT NULL CHECK (status IN ('issued', 'partly_paid', 'paid', 'overdue', 'void')),
  actor           text NOT NULL,
  reason          text,
  at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, sequence)
);

-- What became of a request: issued, held (a finding says why), skipped (empty), or already invoiced.
CREATE TABLE invoicing_outcomes (
  request_id      uuid PRIMARY KEY REFERENCES invoicing_requests,
  outcome         text NOT NULL CHECK (outcome IN ('issued', 'held', 'skipped', 'already_invoiced')),
  invoice_id      uuid REFERENCES invoices,
  decided_at      timestamptz NOT NULL DEFAULT now()
);

-- Gapless numbers (control row): drawn inside the issuing transaction, so a rollback gives the number back.
CREATE TABLE number_sequences (
  series          text PRIMARY KEY,
  last_number     bigint NOT NULL CHECK (last_number >= 0)
);

-- Journal -------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger_accounts (
  account         text PRIMARY KEY,
  name            text NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense'))
);
INSERT INTO ledger_accounts (account, name, kind) VALUES
  ('accounts_receivable', 'Accounts receivable', 'asset'),
  ('revenue', 'Usage revenue', 'revenue');

CREATE TABLE journal_entries (
  entry_id        uuid PRIMARY KEY,
  customer_id     text NOT NULL REFERENCES customers,
  source_document text NOT NULL UNIQUE,        -- what was posted, e.g. 'invoice/<id>': one entry a document
  invoice_id      uuid REFERENCES invoices,
  posting_date    date NOT NULL,
  service_from    timestamptz NOT NULL,
  service_to      timestamptz NOT NULL,
  description     text NOT NULL,
  entry_order     bigint GENERATED ALWAYS AS IDENTITY,
  created_at      timestamptz NOT NULL DEFAULT now()
);

-- amount: debit positive, credit negative.
CREATE TABLE postings (
  posting_id      uuid PRIMARY KEY,
  entry_id        uuid NOT NULL REFERENCES journal_entries,
  posting_number  integer NOT NULL CHECK (posting_number >= 1),
  account         text NOT NULL REFERENCES ledger_accounts,
  line_item_id    uuid REFERENCES invoice_line_items,
  currency        text NOT NULL,
  amount          numeric NOT NULL,
  UNIQUE (entry_id, posting_number)
);
CREATE INDEX postings_account ON postings (account, currency);

CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM postings WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(amount) <> 0) THEN
    RAISE check_violation USING MESSAGE = format('journal entry %s does not sum to zero', NEW.entry_id);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_balance AFTER INSERT ON postings
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_balance();

-- Correction and reconciliation ---------------------------------------------------------------------------------------

CREATE TABLE re_ratings (
  re_rating_id    uuid PRIMARY KEY,
  workflow_id     text NOT NULL,
  reason          text NOT NULL,
  scope           jsonb NOT NULL,
  price_book_id   uuid REFERENCES price_books,
  dry_run         boolean NOT NULL,
  requested_by    text,
  requested_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE reconciliation_runs (
  run_id          uuid PRIMARY KEY,
  scope           jsonb NOT NULL,
  report          jsonb NOT NULL,
  started_at      timestamptz NOT NULL,
  finished_at     timestamptz NOT NULL
);

-- What needs a person. The same finding about the same subject is stored once.
CREATE TABLE findings (
  finding_id      uuid PRIMARY KEY,
  code            text NOT NULL,
  customer_id     text,
  period          date,
  subject         jsonb NOT NULL,
  detail          text NOT NULL,
  found_order     bigint GENERATED ALWAYS AS IDENTITY,
  found_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX findings_period ON findings (customer_id, period);

-- Idempotency keys (control rows) -------------------------------------------------------------------------------------

CREATE TABLE idempotency_keys (
  scope             text NOT NULL,             -- principal, method and route
  key               text NOT NULL,
  fingerprint       text NOT NULL,
  locked_until      timestamptz,               -- a request is in flight until then
  response_status   integer,
  response_body     text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Append-only ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation', HINT = 'Add a fact that corrects the earlier one; nothing is updated or deleted.';
END $$;

-- ENABLE ALWAYS: the refusal also holds under session_replication_role = replica. Partitions carry triggers of their own.
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['customers', 'customer_versions', 'meters', 'price_books', 'price_book_assignments',
    'billing_periods', 'telemetry_events_0', 'telemetry_events_1', 'telemetry_events_2', 'telemetry_events_3',
    'telemetry_events_4', 'telemetry_events_5', 'telemetry_events_6', 'telemetry_events_7', 'telemetry_events',
    'backfills', 'backfill_decisions', 'event_adjustments', 'dead_letters', 'aggregated_usage', 'rated_charges',
    'invoicing_requests', 'invoicing_outcomes', 'invoices', 'invoice_line_items', 'invoice_transitions',
    'ledger_accounts', 'journal_entries', 'postings', 're_ratings', 'reconciliation_runs', 'findings'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
