-- A document and a journal entry are complete when they are written: nothing is added to them later, whoever writes, and their
-- amounts add up (RULES 46, 47, 53; ADR-015). The triggers look at whole statements, because issuing waits for them; so all lines
-- of a document come in one statement, as do those of a tax or of a credit note.

-- Whether the row was written by this transaction, in a savepoint or not. Nothing is stored for it, so it survives dump and restore.
-- A row that is seen while the transaction that wrote it is still in progress can only be one's own: those of others are not seen
-- before they end. The clock is asked as well (an hour is more than it is ever put back), because a row of four billion transactions ago shows
-- the xmin of one of now; `written_at` in the future says nothing by itself, because both must hold.
CREATE FUNCTION is_of_this_transaction(row_xmin xid, written_at timestamptz) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  own bigint := pg_current_xact_id()::text::bigint;
  -- Savepoints draw their ids after the transaction's.
  later bigint := (row_xmin::text::bigint - own) & 4294967295;
BEGIN
  RETURN written_at > now() - interval '1 hour'
    AND (later = 0 OR (later < 2147483648 AND pg_xact_status((own + later)::text::xid8) = 'in progress'));
END $$;

-- Journal entries -----------------------------------------------------------------------------------------------------

CREATE FUNCTION require_own_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  older text;
BEGIN
  -- OFFSET 0: of those entries only, whatever the plan.
  SELECT e.source_document INTO older FROM (SELECT e.source_document, e.xmin AS row_xmin, e.created_at FROM journal_entries e
    WHERE e.entry_id IN (SELECT a.entry_id FROM added a) OFFSET 0) AS e
  WHERE NOT is_of_this_transaction(e.row_xmin, e.created_at) LIMIT 1;
  IF older IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = format('the journal entry of %s is posted already: nothing is added to it', older),
      CONSTRAINT = 'postings_own_entry', HINT = 'Post an entry that corrects it.';
  END IF;
  RETURN NULL;
END $$;
-- None of these is ENABLE ALWAYS: a restore brings the rows of a table at a time.
CREATE TRIGGER require_own_entry AFTER INSERT ON postings
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION require_own_entry();

-- Invoices and corrections --------------------------------------------------------------------------------------------

-- Not of what is there: `verify` holds that.
ALTER TABLE invoices ADD CONSTRAINT invoices_total CHECK (total = subtotal - credits + tax) NOT VALID;

CREATE FUNCTION require_own_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  IF TG_TABLE_NAME = 'invoice_line_items' THEN
    SELECT d.* INTO wrong FROM (SELECT i.number, is_of_this_transaction(i.xmin, i.created_at) AS own, 'lines' AS what, i.subtotal AS said,
        (SELECT sum(l.amount) FROM invoice_line_items l WHERE l.invoice_id = i.invoice_id) AS amount
      FROM invoices i WHERE i.invoice_id IN (SELECT a.invoice_id FROM added a) OFFSET 0) AS d
    WHERE NOT d.own OR d.amount <> d.said LIMIT 1;
  ELSE
    SELECT d.* INTO wrong FROM (SELECT i.number, is_of_this_transaction(i.xmin, i.created_at) AS own, 'taxes' AS what, i.tax AS said,
        (SELECT sum(l.amount) FROM invoice_tax_lines l WHERE l.invoice_id = i.invoice_id) AS amount
      FROM invoices i WHERE i.invoice_id IN (SELECT a.invoice_id FROM added a) OFFSET 0) AS d
    WHERE NOT d.own OR d.amount <> d.said LIMIT 1;
  END IF;
  IF wrong.number IS NULL THEN RETURN NULL; END IF;
  IF NOT wrong.own THEN
    RAISE check_violation USING MESSAGE = format('document %s is issued already: nothing is added to it', wrong.number),
      CONSTRAINT = TG_TABLE_NAME || '_own_invoice', HINT = 'Correct it (a re-rating), or void it and issue another one.';
  END IF;
  RAISE check_violation USING MESSAGE = format('%s of document %s come to %s instead of %s', wrong.what, wrong.number, wrong.amount, wrong.said),
    CONSTRAINT = TG_TABLE_NAME || '_sum';
END $$;
CREATE TRIGGER require_own_invoice AFTER INSERT ON invoice_line_items
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION require_own_invoice();
CREATE TRIGGER require_own_invoice AFTER INSERT ON invoice_tax_lines
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION require_own_invoice();

-- What has lines was looked at when they came; this is for what has none by the commit.
CREATE FUNCTION require_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.subtotal <> 0 AND NOT EXISTS (SELECT FROM invoice_line_items l WHERE l.invoice_id = NEW.invoice_id) THEN
    RAISE check_violation USING MESSAGE = format('document %s has no lines and a subtotal of %s', NEW.number, NEW.subtotal),
      CONSTRAINT = 'invoice_line_items_sum';
  END IF;
  IF NEW.tax <> 0 AND NOT EXISTS (SELECT FROM invoice_tax_lines l WHERE l.invoice_id = NEW.invoice_id) THEN
    RAISE check_violation USING MESSAGE = format('document %s does not say which tax its %s are', NEW.number, NEW.tax),
      CONSTRAINT = 'invoice_tax_lines_sum';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_lines AFTER INSERT ON invoices
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_lines();

-- Credit notes by hand ------------------------------------------------------------------------------------------------

CREATE FUNCTION require_own_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  SELECT d.* INTO wrong FROM (SELECT n.number, n.subtotal, n.tax, is_of_this_transaction(n.xmin, n.created_at) AS own, l.*
    FROM credit_notes n CROSS JOIN LATERAL (SELECT sum(o.amount) AS amount, sum(o.tax) AS taxes FROM credit_note_lines o
      WHERE o.credit_note_id = n.credit_note_id) AS l
    WHERE n.credit_note_id IN (SELECT a.credit_note_id FROM added a) OFFSET 0) AS d
  WHERE NOT d.own OR (d.amount, d.taxes) <> (d.subtotal, d.tax) LIMIT 1;
  IF wrong.number IS NULL THEN RETURN NULL; END IF;
  IF NOT wrong.own THEN
    RAISE check_violation USING MESSAGE = format('credit note %s is issued already: nothing is added to it', wrong.number),
      CONSTRAINT = 'credit_note_lines_own_note', HINT = 'Make another credit note.';
  END IF;
  RAISE check_violation USING MESSAGE = format('lines of credit note %s come to %s and a tax of %s instead of %s and %s',
    wrong.number, wrong.amount, wrong.taxes, wrong.subtotal, wrong.tax), CONSTRAINT = 'credit_note_lines_sum';
END $$;
CREATE TRIGGER require_own_note AFTER INSERT ON credit_note_lines
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION require_own_note();

CREATE FUNCTION require_note_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM credit_note_lines l WHERE l.credit_note_id = NEW.credit_note_id) THEN
    RAISE check_violation USING MESSAGE = format('credit note %s has no lines', NEW.number), CONSTRAINT = 'credit_note_lines_sum';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_note_lines AFTER INSERT ON credit_notes
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_note_lines();

-- Corrections ---------------------------------------------------------------------------------------------------------

-- As before for original invoices. A line of a correction starts from what the documents before it have billed of that line, so a
-- second one that starts where the first did is refused. Places are taken without a gap, so that none slips in before another; the lock
-- is the one that credit notes and voids take.
CREATE OR REPLACE FUNCTION require_billed_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own invoices;
  original invoices;
  other text;
  billed numeric;
BEGIN
  SELECT * INTO own FROM invoices WHERE invoice_id = NEW.invoice_id;
  IF own.type = 'invoice' THEN
    SELECT i.number INTO other FROM invoices i JOIN invoice_line_items l USING (invoice_id)
      WHERE i.customer_id = own.customer_id AND i.type = 'invoice' AND i.invoice_id <> own.invoice_id
        AND i.period_end >= NEW.service_from AND i.period_start <= NEW.service_to
        AND l.line_key = NEW.line_key AND l.service_from = NEW.service_from AND l.service_to = NEW.service_to
        AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void')
      LIMIT 1;
    IF other IS NOT NULL THEN
      RAISE unique_violation USING MESSAGE = format('line %s of invoice %s was billed by invoice %s before', NEW.line_key, own.number, other),
        CONSTRAINT = 'invoice_line_items_billed_once';
    END IF;
    RETURN NULL;
  END IF;
  SELECT * INTO original FROM invoices WHERE invoice_id = own.corrects_invoice_id FOR NO KEY UPDATE;
  IF original.type <> 'invoice' OR (original.customer_id, original.period) <> (own.customer_id, own.period) OR original.chain_place >= own.chain_place
      OR NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = own.customer_id AND i.period = own.period AND i.chain_place = own.chain_place - 1)
      OR EXISTS (SELECT FROM invoices i WHERE i.customer_id = own.customer_id AND i.period = own.period AND i.type = 'invoice'
        AND i.chain_place > original.chain_place) THEN
    RAISE check_violation USING MESSAGE = format('correction %s does not go on where the chain of %s ends', own.number, original.number),
      CONSTRAINT = 'invoices_chain';
  END IF;
  IF EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = own.invoice_id AND t.status = 'void') THEN RETURN NULL; END IF;
  IF EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = original.invoice_id AND t.status = 'void') THEN
    RAISE check_violation USING MESSAGE = format('correction %s is of %s, which is void', own.number, original.number),
      CONSTRAINT = 'invoices_chain';
  END IF;
  SELECT coalesce(sum(l.amount), 0) INTO billed FROM invoices i JOIN invoice_line_items l USING (invoice_id)
    WHERE i.customer_id = own.customer_id AND i.period = own.period AND i.chain_place < own.chain_place AND l.line_key = NEW.line_key
      AND (i.invoice_id = original.invoice_id OR i.corrects_invoice_id = original.invoice_id)
      AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void');
  IF NEW.original_amount IS DISTINCT FROM billed OR NEW.corrected_amount IS DISTINCT FROM billed + NEW.amount THEN
    RAISE unique_violation USING MESSAGE = format('line %s of correction %s goes from %s to %s by %s; %s were billed before it',
        NEW.line_key, own.number, NEW.original_amount, NEW.corrected_amount, NEW.amount, billed),
      CONSTRAINT = 'invoice_line_items_billed_once';
  END IF;
  RETURN NULL;
END $$;
