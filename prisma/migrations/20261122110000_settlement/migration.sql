-- Settlement: payments, credit notes by hand, refunds, write-offs, and which invoice they settle. docs/design/DATA_MODEL.md
-- explains every table, RULES 48 to 50 what they mean. All of these hold facts (append-only).

INSERT INTO ledger_accounts (account, name, kind) VALUES
  ('tax_payable', 'Tax payable', 'liability'),
  ('write_off', 'Receivables written off', 'expense')
ON CONFLICT (account) DO NOTHING;

CREATE TABLE payments (
  payment_id      uuid PRIMARY KEY,
  customer_id     text NOT NULL REFERENCES customers,
  currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  amount          numeric NOT NULL CHECK (amount > 0),
  received_at     timestamptz NOT NULL,
  method          text NOT NULL,
  reference       text,
  recorded_by     text NOT NULL,
  recorded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payments_customer ON payments (customer_id);

-- A payment that bounced: all of it, once.
CREATE TABLE payment_reversals (
  payment_id      uuid PRIMARY KEY REFERENCES payments,
  reason          text NOT NULL,
  reversed_by     text NOT NULL,
  reversed_at     timestamptz NOT NULL DEFAULT now()
);

-- Money that went back to the customer.
CREATE TABLE refunds (
  refund_id       uuid PRIMARY KEY,
  customer_id     text NOT NULL REFERENCES customers,
  currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  amount          numeric NOT NULL CHECK (amount > 0),
  method          text NOT NULL,
  reference       text,
  reason          text NOT NULL,
  refunded_by     text NOT NULL,
  refunded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refunds_customer ON refunds (customer_id);

-- An open rest that nobody will pay.
CREATE TABLE write_offs (
  write_off_id    uuid PRIMARY KEY,
  invoice_id      uuid NOT NULL REFERENCES invoices,
  amount          numeric NOT NULL CHECK (amount > 0),
  reason          text NOT NULL,
  written_off_by  text NOT NULL,
  written_off_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX write_offs_invoice ON write_offs (invoice_id);

-- By hand, on lines of an invoice and its corrections. invoice_id: the original of the chain.
CREATE TABLE credit_notes (
  credit_note_id  uuid PRIMARY KEY,
  number          text NOT NULL UNIQUE,
  customer_id     text NOT NULL REFERENCES customers,
  invoice_id      uuid NOT NULL REFERENCES invoices,
  currency        text NOT NULL,
  subtotal        numeric NOT NULL CHECK (subtotal > 0),
  tax             numeric NOT NULL CHECK (tax >= 0),
  total           numeric NOT NULL CHECK (total = subtotal + tax),
  reason          text,
  seller          jsonb NOT NULL,
  buyer           jsonb NOT NULL,
  document_hash   text NOT NULL,
  issued_by       text NOT NULL,
  issued_at       timestamptz NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX credit_notes_invoice ON credit_notes (invoice_id);
CREATE INDEX credit_notes_issued ON credit_notes (customer_id, issued_at, credit_note_id);

CREATE TABLE credit_note_lines (
  credit_note_id  uuid NOT NULL REFERENCES credit_notes,
  line_number     integer NOT NULL CHECK (line_number >= 1),
  line_key        text NOT NULL,                 -- a line's identity in its chain (RULES 26)
  line_item_id    uuid NOT NULL REFERENCES invoice_line_items,
  description     text NOT NULL,
  -- What the line came to before this note and after it, tax left out.
  original_amount numeric NOT NULL,
  amount          numeric NOT NULL CHECK (amount > 0),
  tax             numeric NOT NULL CHECK (tax >= 0),
  reason_code     text NOT NULL,
  reason          text,
  PRIMARY KEY (credit_note_id, line_number),
  UNIQUE (credit_note_id, line_key)
);
CREATE INDEX credit_note_lines_line ON credit_note_lines (line_item_id);

-- Credit notes fall with the invoice that they credit.
CREATE TABLE credit_note_voids (
  credit_note_id  uuid PRIMARY KEY REFERENCES credit_notes,
  reason          text NOT NULL,
  voided_by       text NOT NULL,
  voided_at       timestamptz NOT NULL DEFAULT now()
);

-- What settles what. One source: a payment, a write-off, or what an invoice with its corrections and credit notes has over;
-- one target: a document, or a refund. A negative amount takes an allocation back.
CREATE TABLE allocations (
  allocation_id     uuid PRIMARY KEY,
  customer_id       text NOT NULL REFERENCES customers,
  currency          text NOT NULL,
  payment_id        uuid REFERENCES payments,
  source_invoice_id uuid REFERENCES invoices,
  write_off_id      uuid REFERENCES write_offs,
  invoice_id        uuid REFERENCES invoices,
  refund_id         uuid REFERENCES refunds,
  amount            numeric NOT NULL CHECK (amount <> 0),
  actor             text NOT NULL,
  reason            text NOT NULL,
  allocation_order  bigint GENERATED ALWAYS AS IDENTITY,
  allocated_at      timestamptz NOT NULL DEFAULT now(),
  CHECK (num_nonnulls(payment_id, source_invoice_id, write_off_id) = 1),
  CHECK (num_nonnulls(invoice_id, refund_id) = 1)
);
CREATE INDEX allocations_customer ON allocations (customer_id);
CREATE INDEX allocations_invoice ON allocations (invoice_id);
CREATE INDEX allocations_payment ON allocations (payment_id);
CREATE INDEX allocations_source_invoice ON allocations (source_invoice_id);
CREATE INDEX allocations_refund ON allocations (refund_id);

-- What the documents of a chain may give to others at most: its negative documents and its credit notes.
CREATE FUNCTION chain_credit(original uuid) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT -sum(i.total) FROM invoices i WHERE (i.invoice_id = original OR i.corrects_invoice_id = original)
      AND i.customer_id = (SELECT customer_id FROM invoices WHERE invoice_id = original)
      AND i.period = (SELECT period FROM invoices WHERE invoice_id = original) AND i.total < 0
      AND NOT EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void')), 0)
    + coalesce((SELECT sum(c.total) FROM credit_notes c WHERE c.invoice_id = original
      AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id)), 0)
$$;

-- At the commit, with the two sides locked, so that two transactions cannot both take the last of them. The locks do not
-- conflict with the ones that foreign keys take.
CREATE FUNCTION require_allocation() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  given numeric;
  taken numeric;
  room numeric;
  owner text;
  unit text;
BEGIN
  IF NEW.payment_id IS NOT NULL THEN
    SELECT p.amount, p.customer_id, p.currency INTO room, owner, unit FROM payments p
      WHERE p.payment_id = NEW.payment_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM payment_reversals r WHERE r.payment_id = NEW.payment_id) THEN room := 0; END IF;
    SELECT sum(amount) INTO given FROM allocations WHERE payment_id = NEW.payment_id;
  ELSIF NEW.write_off_id IS NOT NULL THEN
    SELECT w.amount, i.customer_id, i.currency INTO room, owner, unit FROM write_offs w JOIN invoices i USING (invoice_id)
      WHERE w.write_off_id = NEW.write_off_id FOR NO KEY UPDATE OF w;
    SELECT sum(amount) INTO given FROM allocations WHERE write_off_id = NEW.write_off_id;
  ELSE
    SELECT i.customer_id, i.currency INTO owner, unit FROM invoices i
      WHERE i.invoice_id = NEW.source_invoice_id FOR NO KEY UPDATE;
    room := chain_credit(NEW.source_invoice_id);
    SELECT sum(amount) INTO given FROM allocations WHERE source_invoice_id = NEW.source_invoice_id;
  END IF;
  IF given < 0 OR given > room OR owner <> NEW.customer_id OR unit <> NEW.currency THEN
    RAISE check_violation USING MESSAGE = format('allocation %s takes its source to %s of %s', NEW.allocation_id, given, room);
  END IF;
  IF NEW.invoice_id IS NOT NULL THEN
    SELECT i.total, i.customer_id, i.currency INTO room, owner, unit FROM invoices i
      WHERE i.invoice_id = NEW.invoice_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM invoice_transitions t WHERE t.invoice_id = NEW.invoice_id AND t.status = 'void') THEN room := 0; END IF;
    SELECT sum(amount) INTO taken FROM allocations WHERE invoice_id = NEW.invoice_id;
  ELSE
    SELECT r.amount, r.customer_id, r.currency INTO room, owner, unit FROM refunds r
      WHERE r.refund_id = NEW.refund_id FOR NO KEY UPDATE;
    SELECT sum(amount) INTO taken FROM allocations WHERE refund_id = NEW.refund_id;
  END IF;
  IF taken < 0 OR taken > room OR owner <> NEW.customer_id OR unit <> NEW.currency THEN
    RAISE check_violation USING MESSAGE = format('allocation %s takes its target to %s of %s', NEW.allocation_id, taken, room);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_allocation AFTER INSERT ON allocations
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_allocation();

-- A payment that has bounced settles nothing.
CREATE FUNCTION require_unallocated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM payments WHERE payment_id = NEW.payment_id FOR NO KEY UPDATE;
  IF (SELECT sum(amount) FROM allocations WHERE payment_id = NEW.payment_id) <> 0 THEN
    RAISE check_violation USING MESSAGE = format('reversed payment %s still settles something', NEW.payment_id);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_unallocated AFTER INSERT ON payment_reversals
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_unallocated();

-- A line is never credited beyond what its chain has invoiced for it, nor an invoice beyond its total.
CREATE FUNCTION require_creditable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  note credit_notes;
  original invoices;
  invoiced numeric;
  credited numeric;
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
  SELECT sum(amount) INTO credited FROM credit_note_lines WHERE credit_note_id = NEW.credit_note_id;
  IF credited <> note.subtotal THEN
    RAISE check_violation USING MESSAGE = format('lines of credit note %s come to %s instead of %s', note.number, credited, note.subtotal);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_creditable AFTER INSERT ON credit_note_lines
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_creditable();

-- The life of an invoice: from each status only what the domain's table allows (src/domain/invoicing/transitions.ts).
CREATE FUNCTION invoice_may_become(before text, after text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE before
    WHEN 'issued' THEN after IN ('partly_paid', 'paid', 'overdue', 'void')
    WHEN 'partly_paid' THEN after IN ('issued', 'paid', 'overdue')
    WHEN 'overdue' THEN after IN ('issued', 'partly_paid', 'paid', 'void')
    WHEN 'paid' THEN after IN ('issued', 'partly_paid', 'overdue')
    ELSE false END
$$;
CREATE FUNCTION require_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before text;
BEGIN
  IF NEW.sequence = 1 THEN
    IF NEW.status = 'issued' THEN RETURN NULL; END IF;
  ELSE
    SELECT status INTO before FROM invoice_transitions WHERE invoice_id = NEW.invoice_id AND sequence = NEW.sequence - 1;
  END IF;
  IF invoice_may_become(before, NEW.status) IS NOT TRUE THEN
    RAISE check_violation USING MESSAGE = format('invoice %s cannot become %s after %s', NEW.invoice_id, NEW.status, before);
  END IF;
  IF NEW.status = 'void' THEN
    PERFORM FROM invoices WHERE invoice_id = NEW.invoice_id FOR NO KEY UPDATE;
    IF (SELECT sum(amount) FROM allocations WHERE invoice_id = NEW.invoice_id) <> 0 THEN
      RAISE check_violation USING MESSAGE = format('invoice %s is settled in part and cannot become void', NEW.invoice_id);
    END IF;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_transition AFTER INSERT ON invoice_transitions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_transition();

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['payments', 'payment_reversals', 'refunds', 'write_offs', 'credit_notes', 'credit_note_lines',
    'credit_note_voids', 'allocations'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
