-- Write-offs that are taken back (RULES 50), and decisions about drafts: what was rejected is never issued (RULES 52).
-- docs/design/DATA_MODEL.md explains the table.

-- All of a write-off, once: what it had settled is open again.
CREATE TABLE write_off_reversals (
  write_off_id    uuid PRIMARY KEY REFERENCES write_offs,
  customer_id     text NOT NULL REFERENCES customers,
  actor           text NOT NULL,
  reason          text NOT NULL,
  request_id      uuid NOT NULL,                 -- of the request's Idempotency-Key
  reversed_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX allocations_write_off ON allocations (write_off_id);

CREATE FUNCTION require_write_off_released() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner text;
BEGIN
  SELECT i.customer_id INTO owner FROM write_offs w JOIN invoices i USING (invoice_id)
    WHERE w.write_off_id = NEW.write_off_id FOR NO KEY UPDATE OF w;
  IF owner <> NEW.customer_id THEN
    RAISE check_violation USING MESSAGE = format('write-off %s is of another customer', NEW.write_off_id);
  END IF;
  IF (SELECT sum(amount) FROM allocations WHERE write_off_id = NEW.write_off_id) <> 0 THEN
    RAISE check_violation USING MESSAGE = format('reversed write-off %s still settles something', NEW.write_off_id);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_write_off_released AFTER INSERT ON write_off_reversals
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_write_off_released();

-- Nor does it settle anything later.
CREATE FUNCTION require_write_off_standing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.write_off_id IS NULL THEN RETURN NULL; END IF;
  IF EXISTS (SELECT FROM write_off_reversals r WHERE r.write_off_id = NEW.write_off_id)
    AND (SELECT sum(amount) FROM allocations WHERE write_off_id = NEW.write_off_id) <> 0 THEN
    RAISE check_violation USING MESSAGE = format('reversed write-off %s settles nothing', NEW.write_off_id);
  END IF;
  RETURN NULL;
END $$;
-- After require_allocation, which locks the write-off: triggers fire in the order of their names.
CREATE CONSTRAINT TRIGGER require_write_off_standing AFTER INSERT ON allocations
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_write_off_standing();

-- The domain's table of decisions (src/domain/invoicing/before-issue.ts): a rejection of a content is the last word about it.
CREATE FUNCTION draft_may_be(before text, after text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE before
    WHEN 'approved' THEN after IN ('approved', 'released', 'rejected')
    WHEN 'released' THEN after IN ('released', 'rejected')
    WHEN 'rejected' THEN after = 'rejected'
    ELSE true END
$$;
CREATE FUNCTION require_decidable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before text;
BEGIN
  PERFORM FROM invoice_drafts WHERE invoice_id = NEW.invoice_id FOR NO KEY UPDATE;
  SELECT d.decision INTO before FROM invoice_decisions d
    WHERE d.invoice_id = NEW.invoice_id AND d.content_hash = NEW.content_hash AND d.sequence < NEW.sequence
    ORDER BY d.sequence DESC LIMIT 1;
  IF NOT draft_may_be(before, NEW.decision) THEN
    RAISE check_violation USING MESSAGE = format('what was %s of invoice %s cannot be %s', before, NEW.invoice_id, NEW.decision);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_decidable AFTER INSERT ON invoice_decisions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_decidable();

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON write_off_reversals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE write_off_reversals ENABLE ALWAYS TRIGGER refuse_change;
SELECT audit_table('write_off_reversals');
