-- Corrected versions, overrides, the end of an assignment, what-if. docs/design/DATA_MODEL.md explains every table.

-- Prices over time ----------------------------------------------------------------------------------------------------

-- A version that was made to correct another one of the same price book and effective date; only one corrects it.
CREATE TABLE price_book_corrections (
  price_book_id   uuid PRIMARY KEY REFERENCES price_books,
  supersedes_id   uuid NOT NULL UNIQUE REFERENCES price_books,
  corrected_by    text NOT NULL,
  learned_at      timestamptz NOT NULL DEFAULT now()
);

-- Prices that hold for one customer beside the assigned price book. They are a price book of the customer's own (code
-- "override:" and the customer), so that pins, charges and explanations name them as they name any version.
CREATE TABLE price_overrides (
  price_book_id   uuid PRIMARY KEY REFERENCES price_books,
  customer_id     text NOT NULL REFERENCES customers,
  version         integer NOT NULL CHECK (version >= 1),
  reason          text NOT NULL,
  decided_by      text NOT NULL,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (customer_id, version)
);

-- NULL: until another assignment begins.
ALTER TABLE price_book_assignments ADD COLUMN effective_until timestamptz
  CONSTRAINT price_book_assignments_not_empty CHECK (effective_until > effective_from);
ALTER TABLE price_book_assignments ADD COLUMN decided_by text NOT NULL DEFAULT 'unknown';

-- What-if -------------------------------------------------------------------------------------------------------------

-- What many customers would have paid under a price book version: nothing in these tables is a charge.
CREATE TABLE price_evaluations (
  evaluation_id   uuid PRIMARY KEY,
  workflow_id     text NOT NULL,
  price_book      jsonb NOT NULL,                -- the version as it stands, stored as such or not
  scope           jsonb NOT NULL,
  cutoff_position bigint NOT NULL,               -- usage is read as it was then, however long the run takes
  requested_by    text NOT NULL,
  requested_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_evaluations_order ON price_evaluations (requested_at, evaluation_id);

-- The periods it looks at, resolved from its scope once, when it is asked for.
CREATE TABLE price_evaluation_targets (
  evaluation_id   uuid NOT NULL REFERENCES price_evaluations,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  PRIMARY KEY (evaluation_id, customer_id, period),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);

CREATE TABLE price_evaluation_results (
  evaluation_id    uuid NOT NULL,
  customer_id      text NOT NULL,
  period           date NOT NULL,
  result           text NOT NULL CHECK (result IN ('compared', 'not_comparable')),
  currency         text NOT NULL,
  current_amount   numeric,                      -- what it costs under the versions it has
  evaluated_amount numeric,
  invoiced_amount  numeric,                      -- all documents of the period together; NULL: none
  lines            jsonb NOT NULL,               -- those that differ
  problems         jsonb NOT NULL,
  evaluated_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (evaluation_id, customer_id, period),
  FOREIGN KEY (evaluation_id, customer_id, period) REFERENCES price_evaluation_targets (evaluation_id, customer_id, period),
  CHECK ((result = 'compared') = (current_amount IS NOT NULL AND evaluated_amount IS NOT NULL))
);

-- The run has ended; the report sums up its results.
CREATE TABLE price_evaluation_reports (
  evaluation_id   uuid PRIMARY KEY REFERENCES price_evaluations,
  report          jsonb NOT NULL,
  finished_at     timestamptz NOT NULL DEFAULT now()
);

-- Append-only ---------------------------------------------------------------------------------------------------------

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['price_book_corrections', 'price_overrides', 'price_evaluations', 'price_evaluation_targets',
    'price_evaluation_results', 'price_evaluation_reports'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
