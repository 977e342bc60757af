-- Credit and what is asked for (RULES 49, 50): what is written off is not credited, and no correction leaves less than was credited.
-- A reversed payment knows which request reversed it, so that the same one may be sent again.

CREATE FUNCTION chain_written_off(original uuid) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(a.amount), 0) FROM allocations a JOIN invoices i USING (invoice_id)
  WHERE a.write_off_id IS NOT NULL AND (i.invoice_id = original OR i.corrects_invoice_id = original)
    AND i.customer_id = (SELECT customer_id FROM invoices WHERE invoice_id = original)
    AND i.period = (SELECT period FROM invoices WHERE invoice_id = original)
$$;
CREATE FUNCTION chain_carried(original uuid) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(amount), 0) FROM allocations WHERE source_invoice_id = original
$$;

CREATE OR REPLACE FUNCTION require_creditable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  note credit_notes;
  original invoices;
  invoiced numeric;
  credited numeric;
  written_off numeric;
BEGIN
  SELECT * INTO note FROM credit_notes WHERE credit_note_id = NEW.credit_note_id;
  SELECT * INTO original FROM invoices WHERE invoice_id = note.invoice_id FOR NO KEY UPDATE;
  IF original.corrects_invoice_id IS NOT NULL OR original.customer_id <> note.customer_id
    OR original.currency <> note.currency THEN
    RAISE check_violation USING MESSAGE = format('credit note %s is not of an original invoice of its customer', note.number);
  END IF;
  SELECT coalesce(sum(l.amount), 0) INTO invoiced FROM invoices i JOIN invoice_line_items l USING (invoice_id)
    WHERE i.customer_id = original.customer_id AND i.period = original.period AND l.line_key = NEW.line_key
      AND (i.invoice_id = original.invoice_id OR i.corrects_invoice_id = original.invoice_id)
      AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void');
  SELECT sum(l.amount) INTO credited FROM credit_notes c JOIN credit_note_lines l USING (credit_note_id)
    WHERE c.invoice_id = original.invoice_id AND l.line_key = NEW.line_key
      AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id);
  IF credited > invoiced THEN
    RAISE check_violation USING MESSAGE = format('credit note %s credits %s of a line that came to %s', note.number, credited, invoiced);
  END IF;
  SELECT coalesce(sum(i.total), 0) INTO invoiced FROM invoices i
    WHERE i.customer_id = original.customer_id AND i.period = original.period
      AND (i.invoice_id = original.invoice_id OR i.corrects_invoice_id = original.invoice_id)
      AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void');
  SELECT sum(c.total) INTO credited FROM credit_notes c WHERE c.invoice_id = original.invoice_id
      AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id);
  IF credited > invoiced THEN
    RAISE check_violation USING MESSAGE = format('credit note %s credits %s of an invoice of %s', note.number, credited, invoiced);
  END IF;
  written_off := chain_written_off(original.invoice_id);
  IF written_off > 0 AND credited + written_off - chain_carried(original.invoice_id) > invoiced THEN
    RAISE check_violation USING MESSAGE = format('credit note %s credits what is written off (%s)', note.number, written_off);
  END IF;
  SELECT sum(amount) INTO credited FROM credit_note_lines WHERE credit_note_id = NEW.credit_note_id;
  IF credited <> note.subtotal THEN
    RAISE check_violation USING MESSAGE = format('lines of credit note %s come to %s instead of %s', note.number, credited, note.subtotal);
  END IF;
  RETURN NULL;
END $$;

-- The other side of require_creditable, with the same lock: a correction that lowers something.
CREATE FUNCTION require_beside_credit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  original invoices;
  lowered record;
  invoiced numeric;
  credited numeric;
  written_off numeric;
BEGIN
  IF NEW.corrects_invoice_id IS NULL THEN RETURN NULL; END IF;
  SELECT * INTO original FROM invoices WHERE invoice_id = NEW.corrects_invoice_id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = NEW.invoice_id AND t.status = 'void') THEN RETURN NULL; END IF;
  FOR lowered IN SELECT l.line_key FROM invoice_line_items l WHERE l.invoice_id = NEW.invoice_id AND l.amount < 0 LOOP
    SELECT sum(l.amount) INTO credited FROM credit_notes c JOIN credit_note_lines l USING (credit_note_id)
      WHERE c.invoice_id = original.invoice_id AND l.line_key = lowered.line_key
        AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id);
    CONTINUE WHEN credited IS NULL;
    SELECT coalesce(sum(l.amount), 0) INTO invoiced FROM invoices i JOIN invoice_line_items l USING (invoice_id)
      WHERE i.customer_id = original.customer_id AND i.period = original.period AND l.line_key = lowered.line_key
        AND (i.invoice_id = original.invoice_id OR i.corrects_invoice_id = original.invoice_id)
        AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void');
    IF credited > invoiced THEN
      RAISE check_violation USING MESSAGE = format('correction %s leaves %s of a line of which %s are credited', NEW.number, invoiced, credited);
    END IF;
  END LOOP;
  IF NEW.total >= 0 THEN RETURN NULL; END IF;
  SELECT coalesce(sum(i.total), 0) INTO invoiced FROM invoices i
    WHERE i.customer_id = original.customer_id AND i.period = original.period
      AND (i.invoice_id = original.invoice_id OR i.corrects_invoice_id = original.invoice_id)
      AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void');
  SELECT coalesce(sum(c.total), 0) INTO credited FROM credit_notes c WHERE c.invoice_id = original.invoice_id
      AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id);
  IF credited > 0 AND credited > invoiced THEN
    RAISE check_violation USING MESSAGE = format('correction %s leaves %s of an invoice of which %s are credited', NEW.number, invoiced, credited);
  END IF;
  written_off := chain_written_off(original.invoice_id);
  IF written_off > 0 AND credited + written_off - chain_carried(original.invoice_id) > invoiced THEN
    RAISE check_violation USING MESSAGE = format('correction %s takes back what is written off (%s)', NEW.number, written_off);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_beside_credit AFTER INSERT ON invoices
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_beside_credit();

-- Of the request's Idempotency-Key; NULL: it had none, or came before there was this column.
ALTER TABLE payment_reversals ADD COLUMN request_id uuid;
SELECT audit_table('payment_reversals', 'payments');
