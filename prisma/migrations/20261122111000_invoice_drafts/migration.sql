-- Drafts, grace, approval, safety bounds. docs/design/DATA_MODEL.md explains every table, RULES 51 to 53 what they mean.

ALTER TABLE customer_versions
  ADD COLUMN grace_period text NOT NULL DEFAULT 'PT0S',
  ADD COLUMN invoice_approval text NOT NULL DEFAULT 'none' CHECK (invoice_approval IN ('none', 'required'));

-- An invoice that is not issued yet, under the id that it will have. What it says is computed on read, never stored.
CREATE TABLE invoice_drafts (
  invoice_id      uuid PRIMARY KEY,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  chain_place     integer NOT NULL CHECK (chain_place >= 1),
  -- When the period was ready: the grace counts from here.
  ready_at        timestamptz NOT NULL,
  draft_order     bigint GENERATED ALWAYS AS IDENTITY,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (customer_id, period, chain_place),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);
CREATE INDEX invoice_drafts_order ON invoice_drafts (draft_order);

-- Its life before it is issued; invoice_transitions has the rest.
CREATE TABLE invoice_draft_transitions (
  invoice_id      uuid NOT NULL REFERENCES invoice_drafts,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  status          text NOT NULL CHECK (status IN ('draft', 'held')),
  -- Of what it said then: lines and totals.
  content_hash    text NOT NULL,
  -- When it is issued by itself; NULL: not without a person.
  due_at          timestamptz,
  actor           text NOT NULL,
  reason          text NOT NULL,
  at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, sequence)
);

-- What a person decided about what the draft said then, and about nothing else.
CREATE TABLE invoice_decisions (
  invoice_id      uuid NOT NULL REFERENCES invoice_drafts,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  decision        text NOT NULL CHECK (decision IN ('approved', 'released', 'rejected')),
  content_hash    text NOT NULL,
  actor           text NOT NULL,
  reason          text NOT NULL,
  at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, sequence)
);

-- At most one charge a customer, line and service period among the original invoices that count (RULES 53). The documents of a
-- service period are its own and, for a fee in advance, the one before.
CREATE FUNCTION require_billed_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own invoices;
  other text;
BEGIN
  SELECT * INTO own FROM invoices WHERE invoice_id = NEW.invoice_id;
  IF own.type <> 'invoice' THEN RETURN NULL; END IF;
  SELECT i.number INTO other FROM invoices i JOIN invoice_line_items l USING (invoice_id)
    WHERE i.customer_id = own.customer_id AND i.type = 'invoice' AND i.invoice_id <> own.invoice_id
      AND i.period_end >= NEW.service_from AND i.period_start <= NEW.service_to
      AND l.line_key = NEW.line_key AND l.service_from = NEW.service_from AND l.service_to = NEW.service_to
      AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void')
    LIMIT 1;
  IF other IS NOT NULL THEN
    RAISE unique_violation USING MESSAGE = format('line %s of invoice %s was billed by invoice %s before', NEW.line_key, own.number, other),
      CONSTRAINT = 'invoice_line_items_billed_once';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_billed_once AFTER INSERT ON invoice_line_items
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_billed_once();

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['invoice_drafts', 'invoice_draft_transitions', 'invoice_decisions'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
