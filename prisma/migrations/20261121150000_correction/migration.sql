-- Correction and reconciliation. docs/design/DATA_MODEL.md explains every table; all of these hold facts (append-only).

-- Correction ----------------------------------------------------------------------------------------------------------

-- The periods a re-rating looks at, resolved from its scope once, when it is asked for.
CREATE TABLE re_rating_targets (
  re_rating_id    uuid NOT NULL REFERENCES re_ratings,
  target_number   integer NOT NULL CHECK (target_number >= 1),
  customer_id     text NOT NULL,
  period          date NOT NULL,
  PRIMARY KEY (re_rating_id, target_number),
  UNIQUE (re_rating_id, customer_id, period),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);
CREATE INDEX re_rating_targets_period ON re_rating_targets (customer_id, period);

-- A re-rating's status is its last transition.
CREATE TABLE re_rating_transitions (
  re_rating_id    uuid NOT NULL REFERENCES re_ratings,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  status          text NOT NULL CHECK (status IN ('comparing', 'awaiting_approval', 'correcting', 'reconciling', 'completed',
                    'no_difference', 'rejected')),
  attempt         integer NOT NULL CHECK (attempt >= 1),
  actor           text NOT NULL,
  reason          text,
  at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (re_rating_id, sequence)
);

-- The rating that a period's documents stand on: one row whenever the gate settles the period, with or without a document.
-- The last one gives the chain its cutoff, its pins (DESIGN 4) and its current charges.
CREATE TABLE period_ratings (
  customer_id     text NOT NULL,
  period          date NOT NULL,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  cutoff_position bigint NOT NULL,
  pinned_versions jsonb NOT NULL,
  charge_ids      uuid[] NOT NULL,
  invoice_id      uuid REFERENCES invoices,      -- NULL: no line changed, so there is no document
  re_rating_id    uuid REFERENCES re_ratings,    -- NULL: the original invoice
  rated_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, period, sequence),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);

-- What a comparison found for one period. An approval is for the attempt it was given to.
CREATE TABLE re_rating_comparisons (
  re_rating_id    uuid NOT NULL REFERENCES re_ratings,
  attempt         integer NOT NULL CHECK (attempt >= 1),
  customer_id     text NOT NULL,
  period          date NOT NULL,
  result          text NOT NULL CHECK (result IN ('difference', 'no_difference', 'held')),
  rating_sequence integer NOT NULL,              -- of period_ratings: where the chain ended when it was compared
  cutoff_position bigint NOT NULL,
  pinned_versions jsonb NOT NULL,                -- of the new rating
  currency        text NOT NULL,
  difference      numeric NOT NULL,              -- total of the differences
  needs_approval  boolean NOT NULL,
  differences     jsonb NOT NULL,                -- by line: original, corrected, difference
  detail          text,                          -- why it is held
  compared_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (re_rating_id, attempt, customer_id, period),
  FOREIGN KEY (re_rating_id, customer_id, period) REFERENCES re_rating_targets (re_rating_id, customer_id, period)
);

CREATE TABLE re_rating_decisions (
  re_rating_id    uuid NOT NULL REFERENCES re_ratings,
  attempt         integer NOT NULL CHECK (attempt >= 1),
  decision        text NOT NULL CHECK (decision IN ('approved', 'rejected')),
  decided_by      text NOT NULL,
  reason          text,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (re_rating_id, attempt)
);

-- Four eyes: whoever asked for a correction does not approve it (rejecting one's own is withdrawing it).
CREATE FUNCTION require_other_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.decision = 'approved' AND EXISTS (
    SELECT FROM re_ratings WHERE re_rating_id = NEW.re_rating_id
      AND lower(btrim(requested_by)) = lower(btrim(NEW.decided_by))) THEN
    RAISE check_violation USING MESSAGE = format('re-rating %s was requested by the same person', NEW.re_rating_id),
      CONSTRAINT = 're_rating_decisions_other_person';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER require_other_person BEFORE INSERT ON re_rating_decisions FOR EACH ROW EXECUTE FUNCTION require_other_person();
-- Also under session_replication_role = replica, as the refusals of change.
ALTER TABLE re_rating_decisions ENABLE ALWAYS TRIGGER require_other_person;
ALTER TABLE postings ENABLE ALWAYS TRIGGER require_balance;

-- What became of each target; written in the transaction that settles the period.
CREATE TABLE re_rating_outcomes (
  re_rating_id    uuid NOT NULL REFERENCES re_ratings,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  outcome         text NOT NULL CHECK (outcome IN ('corrected', 'no_difference', 'held')),
  invoice_id      uuid REFERENCES invoices,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (re_rating_id, customer_id, period),
  FOREIGN KEY (re_rating_id, customer_id, period) REFERENCES re_rating_targets (re_rating_id, customer_id, period),
  CHECK ((outcome = 'corrected') = (invoice_id IS NOT NULL))
);

-- Invoices issued before this migration.
INSERT INTO period_ratings (customer_id, period, sequence, cutoff_position, pinned_versions, charge_ids, invoice_id)
SELECT customer_id, period, chain_place, cutoff_position, pinned_versions,
  coalesce((SELECT array_agg(c ORDER BY l.line_number, n)
    FROM invoice_line_items l CROSS JOIN LATERAL unnest(l.charge_ids) WITH ORDINALITY AS u (c, n)
    WHERE l.invoice_id = i.invoice_id), '{}'), invoice_id
FROM invoices i;

-- Reconciliation ------------------------------------------------------------------------------------------------------

-- A run that was asked for; reconciliation_runs has its report once it has ended.
CREATE TABLE reconciliation_requests (
  run_id          uuid PRIMARY KEY,
  workflow_id     text NOT NULL,
  scope           jsonb NOT NULL,
  requested_by    text NOT NULL,
  requested_at    timestamptz NOT NULL DEFAULT now()
);

-- The chain of one period, stage by stage.
CREATE TABLE reconciliation_results (
  run_id          uuid NOT NULL REFERENCES reconciliation_requests,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  result          text NOT NULL CHECK (result IN ('equal', 'different')),
  report          jsonb NOT NULL,
  reconciled_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, customer_id, period),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);

ALTER TABLE findings ADD COLUMN class text
  CHECK (class IN ('rounding', 'missing', 'duplicate', 'disagreement', 'large_gap'));

-- A person's decision about a finding; the finding stays.
CREATE TABLE finding_resolutions (
  finding_id      uuid PRIMARY KEY REFERENCES findings,
  resolution      text NOT NULL CHECK (resolution IN ('fixed', 'accepted', 'not_a_problem')),
  reason          text NOT NULL,
  resolved_by     text NOT NULL,
  resolved_at     timestamptz NOT NULL DEFAULT now()
);

-- A document's entries, for its verification and reconciliation.
CREATE INDEX journal_entries_invoice ON journal_entries (invoice_id);

-- Append-only ---------------------------------------------------------------------------------------------------------

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['re_rating_targets', 're_rating_transitions', 'period_ratings', 're_rating_comparisons',
    're_rating_decisions', 're_rating_outcomes', 'reconciliation_requests', 'reconciliation_results',
    'finding_resolutions'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
