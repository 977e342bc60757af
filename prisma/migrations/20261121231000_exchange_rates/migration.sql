-- Exchange rates, and by which of them a customer's prices are converted. docs/design/DATA_MODEL.md explains every table.

-- As published: one unit of base_currency is rate units of quote_currency. Of one source, pair and day the rate learned last holds,
-- for documents that are not issued; the others pin what they were converted at.
CREATE TABLE exchange_rates (
  source          text NOT NULL,
  base_currency   text NOT NULL CHECK (base_currency ~ '^[A-Z]{3}$'),
  quote_currency  text NOT NULL CHECK (quote_currency ~ '^[A-Z]{3}$'),
  rate_date       date NOT NULL,
  rate            numeric NOT NULL CHECK (rate > 0),
  imported_by     text NOT NULL,
  learned_order   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  learned_at      timestamptz NOT NULL DEFAULT now(),
  CHECK (base_currency <> quote_currency)
);
CREATE INDEX exchange_rates_holding ON exchange_rates (source, rate_date, base_currency, quote_currency, learned_order);
-- Which pairs a source quotes at all: a probe a pair.
CREATE INDEX exchange_rates_pairs ON exchange_rates (source, base_currency, quote_currency);

-- Both NULL: prices in another currency are refused.
ALTER TABLE customer_versions ADD COLUMN conversion_source text;
ALTER TABLE customer_versions ADD COLUMN conversion_max_age_days smallint
  CONSTRAINT customer_versions_max_age CHECK (conversion_max_age_days >= 0);
ALTER TABLE customer_versions ADD CONSTRAINT customer_versions_conversion
  CHECK ((conversion_source IS NULL) = (conversion_max_age_days IS NULL));

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_rates
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE exchange_rates ENABLE ALWAYS TRIGGER refuse_change;
