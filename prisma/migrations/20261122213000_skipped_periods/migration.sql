-- What a skipped period was found empty of, and what was learned since (RULES 64). docs/design/DATA_MODEL.md explains the tables.

-- The cutoff at which a gate decided. NULL: no gate did, or it was before this was kept; of a skip that is as good as 0, so that
-- whatever there is makes it asked about once more.
ALTER TABLE invoicing_outcomes ADD COLUMN cutoff_position bigint;

-- Meter versions for whose past events all periods that were skipped without them have been asked about again. A version without
-- a row here was learned since the last daily sweep.
CREATE TABLE meters_looked_back (
  meter_id   uuid PRIMARY KEY REFERENCES meters,
  looked_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON meters_looked_back FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE meters_looked_back ENABLE ALWAYS TRIGGER refuse_change;
