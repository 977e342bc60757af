-- Meters of every aggregation, in versions.

-- A version holds from effective_from on: an instant, or a local date that means midnight in each customer's zone (RULES 31);
-- both NULL: since always. Groups beyond max_groups hold the invoice (RULES 30).
ALTER TABLE meters ADD COLUMN effective_from timestamptz;
ALTER TABLE meters ADD COLUMN effective_from_date date;
ALTER TABLE meters ADD COLUMN max_groups integer NOT NULL DEFAULT 1000 CHECK (max_groups >= 1);
ALTER TABLE meters ADD CHECK (effective_from IS NULL OR effective_from_date IS NULL);

-- What does not add up over windows (min, max, latest, unique_count, weighted_sum): a revision of a whole period by meter and
-- pricing group. A table of its own, so that nothing that sums windows can count a period twice.
CREATE TABLE aggregated_period_usage (
  aggregation_id    uuid PRIMARY KEY,
  customer_id       text NOT NULL,
  period            date NOT NULL,
  meter_id          uuid NOT NULL REFERENCES meters,
  pool              text[] NOT NULL,           -- the properties of group_key: how pricing pools the meter's groups (RULES 17)
  group_key         jsonb NOT NULL,
  revision          integer NOT NULL CHECK (revision >= 1),
  quantity          numeric NOT NULL,
  event_count       bigint NOT NULL,
  digest            text NOT NULL CHECK (digest ~ '^[0-9a-f]{16}$'),
  closing_level     numeric,                   -- of a weighted_sum: what the next period begins with
  cutoff_position   bigint NOT NULL,
  is_final          boolean NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods,
  UNIQUE (customer_id, period, meter_id, group_key, revision)
);

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON aggregated_period_usage
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE aggregated_period_usage ENABLE ALWAYS TRIGGER refuse_change;
