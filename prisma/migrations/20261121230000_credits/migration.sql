-- Prepaid and promotional credits. docs/design/DATA_MODEL.md explains every table, RULES 36 to 38 what they mean.

INSERT INTO ledger_accounts (account, name, kind) VALUES
  ('cash', 'Cash', 'asset'),
  ('customer_credit', 'Customer credit', 'liability'),
  -- Contra revenue: credits that nobody paid for.
  ('promotional_credit', 'Promotional credit', 'revenue'),
  ('credit_breakage', 'Breakage of expired credit', 'revenue');

CREATE TABLE credit_grants (
  grant_id            uuid PRIMARY KEY,
  customer_id         text NOT NULL REFERENCES customers,
  currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  type                text NOT NULL CHECK (type IN ('prepaid', 'promotional')),
  amount              numeric NOT NULL CHECK (amount > 0),
  priority            integer NOT NULL CHECK (priority BETWEEN 0 AND 100),
  effective_from      timestamptz NOT NULL,
  expires_at          timestamptz,                 -- NULL: never
  -- What of the remainder becomes a new grant when this one expires, and for how long (ISO 8601). NULL: nothing.
  roll_over_cap       numeric CHECK (roll_over_cap > 0),
  roll_over_validity  text,
  name                text NOT NULL,
  reason              text,
  rolled_over_from    uuid REFERENCES credit_grants,
  granted_by          text NOT NULL,
  granted_at          timestamptz NOT NULL DEFAULT now(),
  CHECK (effective_from < expires_at),
  CHECK ((roll_over_cap IS NULL) = (roll_over_validity IS NULL)),
  CHECK (roll_over_cap IS NULL OR expires_at IS NOT NULL)
);
CREATE INDEX credit_grants_customer ON credit_grants (customer_id);

-- What documents have drawn (positive) or restored (negative), in order. A voided document has all of it a second time,
-- the other way round.
CREATE TABLE credit_draws (
  invoice_id    uuid NOT NULL REFERENCES invoices,
  entry         text NOT NULL CHECK (entry IN ('issued', 'voided')),
  draw_number   integer NOT NULL CHECK (draw_number >= 1),
  grant_id      uuid NOT NULL REFERENCES credit_grants,
  amount        numeric NOT NULL CHECK (amount <> 0),
  drawn_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, entry, draw_number)
);
CREATE INDEX credit_draws_grant ON credit_draws (grant_id);

-- What was left at the end. More than one row a grant: something was restored to it afterwards, and expired as well.
CREATE TABLE credit_expiries (
  grant_id        uuid NOT NULL REFERENCES credit_grants,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  amount          numeric NOT NULL CHECK (amount > 0),
  rolled_over     numeric NOT NULL CHECK (rolled_over >= 0 AND rolled_over <= amount),
  rolled_over_to  uuid REFERENCES credit_grants,
  expired_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (grant_id, sequence),
  CHECK ((rolled_over > 0) = (rolled_over_to IS NOT NULL))
);

-- What was taken back. A void grant is never drawn again; what is restored to it is taken back as well, in a further row.
CREATE TABLE credit_grant_voids (
  grant_id      uuid NOT NULL REFERENCES credit_grants,
  sequence      integer NOT NULL CHECK (sequence >= 1),
  amount        numeric NOT NULL CHECK (amount >= 0),
  reason        text NOT NULL,
  voided_by     text NOT NULL,
  voided_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (grant_id, sequence)
);

CREATE FUNCTION credit_balance(of_grant uuid) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT g.amount
    - coalesce((SELECT sum(d.amount) FROM credit_draws d WHERE d.grant_id = g.grant_id), 0)
    - coalesce((SELECT sum(e.amount) FROM credit_expiries e WHERE e.grant_id = g.grant_id), 0)
    - coalesce((SELECT sum(v.amount) FROM credit_grant_voids v WHERE v.grant_id = g.grant_id), 0)
  FROM credit_grants g WHERE g.grant_id = of_grant
$$;

-- At the commit, with the grant locked, so that two transactions cannot both take the last of it. The lock does not
-- conflict with the ones that foreign keys take.
CREATE FUNCTION require_credit_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  balance numeric;
  drawn numeric;
BEGIN
  PERFORM FROM credit_grants WHERE grant_id = NEW.grant_id FOR NO KEY UPDATE;
  balance := credit_balance(NEW.grant_id);
  IF balance < 0 THEN
    RAISE check_violation USING MESSAGE = format('credit grant %s is overdrawn by %s', NEW.grant_id, -balance);
  END IF;
  SELECT sum(amount) INTO drawn FROM credit_draws WHERE grant_id = NEW.grant_id;
  IF drawn < 0 THEN
    RAISE check_violation USING MESSAGE = format('credit grant %s gets back %s more than was drawn', NEW.grant_id, -drawn);
  END IF;
  RETURN NULL;
END $$;

-- A document's draws come to its credits, and are of its own customer and currency; a void takes them back as a whole.
CREATE FUNCTION require_drawn_credits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  document invoices;
  drawn numeric;
BEGIN
  SELECT * INTO document FROM invoices WHERE invoice_id = NEW.invoice_id;
  SELECT sum(CASE entry WHEN 'issued' THEN amount ELSE -amount END) INTO drawn
    FROM credit_draws WHERE invoice_id = NEW.invoice_id AND entry = NEW.entry;
  IF drawn <> document.credits THEN
    RAISE check_violation USING MESSAGE =
      format('draws of document %s come to %s, its credits are %s', document.number, drawn, document.credits);
  END IF;
  IF NOT EXISTS (SELECT FROM credit_grants WHERE grant_id = NEW.grant_id
      AND customer_id = document.customer_id AND currency = document.currency) THEN
    RAISE check_violation USING MESSAGE =
      format('credit grant %s is of another customer or currency than document %s', NEW.grant_id, document.number);
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER require_credit_balance AFTER INSERT ON credit_draws
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_credit_balance();
CREATE CONSTRAINT TRIGGER require_credit_balance AFTER INSERT ON credit_expiries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_credit_balance();
CREATE CONSTRAINT TRIGGER require_credit_balance AFTER INSERT ON credit_grant_voids
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_credit_balance();
CREATE CONSTRAINT TRIGGER require_drawn_credits AFTER INSERT ON credit_draws
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_drawn_credits();

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['credit_grants', 'credit_draws', 'credit_expiries', 'credit_grant_voids'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
