-- Closing many customers' periods at once (RULES 60). docs/design/DATA_MODEL.md explains the tables.
CREATE TABLE period_closes (
  close_id        uuid PRIMARY KEY,
  workflow_id     text NOT NULL,
  period          date,                          -- periods of this name ...
  ended_on        date,                          -- ... or those that ended on this local day
  customer_ids    text[] NOT NULL,               -- empty: all customers
  legal_entity    text REFERENCES legal_entities, -- of the customer as it is now; NULL: all
  billing_day     date NOT NULL,                 -- the invoicing run that issues
  requested_by    text NOT NULL,
  requested_at    timestamptz NOT NULL DEFAULT now(),
  CHECK ((period IS NULL) <> (ended_on IS NULL))
);
CREATE INDEX period_closes_requested ON period_closes (requested_at, close_id);

-- The targets of a close were planned: once, in one statement.
CREATE TABLE period_close_plans (
  close_id        uuid PRIMARY KEY REFERENCES period_closes,
  planned_at      timestamptz NOT NULL DEFAULT now()
);

-- reason NULL: to be handed over to invoicing, under that request; otherwise why not.
CREATE TABLE period_close_targets (
  close_id        uuid NOT NULL REFERENCES period_close_plans,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  request_id      uuid NOT NULL UNIQUE,
  reason          text CHECK (reason IN ('not_ended', 'invoiced', 'void', 'requested', 'skipped', 'backfill_open')),
  PRIMARY KEY (close_id, customer_id, period),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);

-- What a chunk did with a target: handed it over (NULL), or left it for something that came after the plan.
CREATE TABLE period_close_steps (
  close_id        uuid NOT NULL,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  reason          text CHECK (reason IN ('not_ended', 'invoiced', 'void', 'requested', 'skipped', 'backfill_open')),
  decided_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (close_id, customer_id, period),
  FOREIGN KEY (close_id, customer_id, period) REFERENCES period_close_targets
);

-- Nothing more is handed over; what was, is issued.
CREATE TABLE period_close_cancellations (
  close_id        uuid PRIMARY KEY REFERENCES period_closes,
  cancelled_by    text NOT NULL,
  reason          text NOT NULL,
  cancelled_at    timestamptz NOT NULL DEFAULT now()
);

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['period_closes', 'period_close_plans', 'period_close_targets', 'period_close_steps', 'period_close_cancellations'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
