-- A price book version goes to some customers first (RULES 41, 42). docs/design/DATA_MODEL.md explains every table.

-- A candidate: it holds for those customers only whom a stage of its rollout includes.
ALTER TABLE price_books ADD COLUMN rollout boolean NOT NULL DEFAULT false;

-- One a candidate. What it has come to is the last of its stages, never a status here.
CREATE TABLE price_rollouts (
  rollout_id      uuid PRIMARY KEY,
  price_book_id   uuid NOT NULL UNIQUE REFERENCES price_books,
  started_by      text NOT NULL,
  started_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_rollouts_order ON price_rollouts (started_at, rollout_id);

CREATE TABLE price_rollout_stages (
  rollout_id          uuid NOT NULL REFERENCES price_rollouts,
  sequence            integer NOT NULL CHECK (sequence >= 1), -- of two decisions at once one gets the place
  stage_id            uuid NOT NULL UNIQUE,                   -- of the request, so that its repetition finds it
  kind                text NOT NULL CHECK (kind IN ('canary', 'percentage', 'all', 'halt', 'resume', 'rollback')),
  -- Exactly one of the two: an instant, or a local date that means midnight in each customer's zone (RULES 19).
  effective_from      timestamptz,
  effective_from_date date,
  customer_ids        text[] NOT NULL,                        -- whom a canary stage names
  percentage          integer CHECK (percentage BETWEEN 1 AND 9999), -- in hundredths of a per cent
  evaluation_id       uuid REFERENCES price_evaluations,      -- the comparison that a widening rests on
  override            boolean NOT NULL,                       -- decided without one
  reason              text NOT NULL,
  decided_by          text NOT NULL,
  decided_at          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (rollout_id, sequence),
  CHECK ((effective_from IS NULL) <> (effective_from_date IS NULL)),
  CHECK ((kind = 'canary') = (cardinality(customer_ids) > 0)),
  CHECK ((kind = 'percentage') = (percentage IS NOT NULL)),
  CHECK ((kind IN ('percentage', 'all')) = (override <> (evaluation_id IS NOT NULL)))
);

-- What the members after a stage would have paid under the candidate and without it.
CREATE TABLE price_rollout_comparisons (
  evaluation_id   uuid PRIMARY KEY REFERENCES price_evaluations,
  rollout_id      uuid NOT NULL,
  sequence        integer NOT NULL,
  FOREIGN KEY (rollout_id, sequence) REFERENCES price_rollout_stages (rollout_id, sequence)
);
CREATE INDEX price_rollout_comparisons_stage ON price_rollout_comparisons (rollout_id, sequence);

-- Who has a price book.
CREATE INDEX price_book_assignments_price_book ON price_book_assignments (price_book);

-- Append-only ---------------------------------------------------------------------------------------------------------

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['price_rollouts', 'price_rollout_stages', 'price_rollout_comparisons'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
