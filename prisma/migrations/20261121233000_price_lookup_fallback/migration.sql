-- Provisional ratings whose prices could not be read, and were those last known (RULES 43); and what became of them.
CREATE TABLE price_fallbacks (
  fallback_id     uuid PRIMARY KEY,
  customer_id     text NOT NULL,
  period          date NOT NULL,
  prices_as_of    timestamptz NOT NULL,          -- when the prices were read that it was rated with
  pinned_versions jsonb NOT NULL,                -- which these were
  currency        text NOT NULL,
  charge_ids      uuid[] NOT NULL,
  rated_at        timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (customer_id, period) REFERENCES billing_periods
);
CREATE INDEX price_fallbacks_period ON price_fallbacks (customer_id, period);

-- Rated again with the prices that were known then; one that differed is a finding.
CREATE TABLE price_fallback_checks (
  fallback_id     uuid PRIMARY KEY REFERENCES price_fallbacks,
  differed        boolean NOT NULL,
  checked_at      timestamptz NOT NULL DEFAULT now()
);

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['price_fallbacks', 'price_fallback_checks'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
