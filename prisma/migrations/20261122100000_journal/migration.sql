-- The journal in full: its accounts, balances as a read model, accounting months that lock, snapshots, account mappings for an
-- ERP. docs/design/DATA_MODEL.md explains every table, RULES 44 to 47 and ADR-015 what they mean.

INSERT INTO ledger_accounts (account, name, kind) VALUES
  ('deferred_revenue', 'Deferred revenue', 'liability'),
  ('tax_payable', 'Tax payable', 'liability'),
  ('write_off', 'Write-offs', 'expense'),
  ('rounding', 'Rounding', 'expense')
ON CONFLICT (account) DO NOTHING;

-- Entries of before stay as they are: their postings name no product and no invoice.
ALTER TABLE postings ADD COLUMN product text, ADD COLUMN invoice_id uuid REFERENCES invoices;
CREATE INDEX postings_deferred ON postings (line_item_id) INCLUDE (amount) WHERE account = 'deferred_revenue';
-- A default of every insert of its own: entries of one transaction are told apart, and an entry is never older than the lock
-- under which it was posted.
ALTER TABLE journal_entries ALTER COLUMN created_at SET DEFAULT clock_timestamp();
ALTER TABLE journal_entries ADD CONSTRAINT journal_entries_order UNIQUE (entry_order);
CREATE INDEX journal_entries_posting_date ON journal_entries (posting_date, entry_order);
CREATE INDEX journal_entries_customer ON journal_entries (customer_id, entry_order);

-- Accounting months ---------------------------------------------------------------------------------------------------

-- A month is closed when it, or a later one, has a row: there are no gaps.
CREATE TABLE accounting_month_closings (
  month           date PRIMARY KEY CHECK (extract(day FROM month) = 1),
  -- No entry up to here is missing from what was closed, and none after it is in a closed month.
  through_entry   bigint NOT NULL CHECK (through_entry >= 0),
  reason          text NOT NULL,
  closed_by       text NOT NULL,
  closed_at       timestamptz NOT NULL DEFAULT now()
);

-- "JRNL" in ASCII. Whoever posts holds it in shared mode, from before entry_order is drawn to the commit; a closing and the horizon
-- take it exclusively, so at that moment nobody is between choosing a month, or drawing a place in the journal, and the commit.
CREATE FUNCTION lock_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1246907980);
  RETURN NULL;
END $$;
CREATE TRIGGER lock_journal BEFORE INSERT ON journal_entries FOR EACH STATEMENT EXECUTE FUNCTION lock_journal();

-- The day itself where its month is open, else the first day of the first open month. Volatile: its query sees what was closed
-- while it waited for the lock.
CREATE FUNCTION open_posting_date(wanted date) RETURNS date LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1246907980);
  RETURN greatest(wanted, (SELECT (max(month) + interval '1 month')::date FROM accounting_month_closings));
END $$;

CREATE FUNCTION require_open_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM accounting_month_closings WHERE month >= date_trunc('month', NEW.posting_date::timestamp)::date) THEN
    RAISE check_violation USING MESSAGE = format('%s lies in a closed accounting month: entry of %s refused', NEW.posting_date, NEW.source_document),
      CONSTRAINT = 'journal_entries_open_month', HINT = 'Post it in the first open month (open_posting_date).';
  END IF;
  RETURN NEW;
END $$;
-- Not ENABLE ALWAYS: a restore may write closings before entries. What came past it is found by the check of the snapshots.
CREATE TRIGGER require_open_month BEFORE INSERT ON journal_entries FOR EACH ROW EXECUTE FUNCTION require_open_month();

-- In order, and with nobody posting meanwhile, whoever closes.
CREATE FUNCTION require_next_month() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last date;
BEGIN
  PERFORM pg_advisory_xact_lock(1246907980);
  SELECT max(month) INTO last FROM accounting_month_closings;
  IF NEW.month <> (last + interval '1 month')::date THEN
    RAISE check_violation USING MESSAGE = format('the month after %s is to be closed, not %s', last, NEW.month),
      CONSTRAINT = 'accounting_month_closings_in_order';
  END IF;
  SELECT coalesce(max(entry_order), 0) INTO NEW.through_entry FROM journal_entries;
  RETURN NEW;
END $$;
CREATE TRIGGER require_next_month BEFORE INSERT ON accounting_month_closings FOR EACH ROW EXECUTE FUNCTION require_next_month();

-- Balances (control rows: a read model, made again from the journal at any time) ------------------------------------------

CREATE TABLE account_balances (
  customer_id     text NOT NULL REFERENCES customers,
  account         text NOT NULL REFERENCES ledger_accounts,
  currency        text NOT NULL,
  debit           numeric NOT NULL,
  credit          numeric NOT NULL,
  version         integer NOT NULL CHECK (version >= 1),
  PRIMARY KEY (customer_id, account, currency)
) WITH (fillfactor = 80);

-- In the transaction of the entry, whoever writes it. One transaction a customer at a time, from here to its commit; customers do
-- not wait for each other, and those of one statement are locked in order. The lock does not conflict with the ones that foreign
-- keys take. A rebuild does not take it: against it, an update that has met another version is tried again. What cannot be kept
-- is a finding: the journal is the truth, and the rebuild mends the rest.
CREATE FUNCTION keep_account_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  change record;
  known integer;
  kept boolean;
BEGIN
  PERFORM FROM customers c WHERE c.customer_id IN (
    SELECT e.customer_id FROM journal_entries e WHERE e.entry_id IN (SELECT a.entry_id FROM added a))
  ORDER BY c.customer_id FOR NO KEY UPDATE;
  FOR change IN
    SELECT e.customer_id, a.account, a.currency, coalesce(sum(a.amount) FILTER (WHERE a.amount > 0), 0) AS debit,
      coalesce(-sum(a.amount) FILTER (WHERE a.amount < 0), 0) AS credit, min(a.entry_id::text) AS entry
    FROM added a JOIN journal_entries e USING (entry_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  LOOP
    kept := false;
    FOR attempt IN 1..5 LOOP
      SELECT b.version INTO known FROM account_balances b
      WHERE b.customer_id = change.customer_id AND b.account = change.account AND b.currency = change.currency;
      IF FOUND THEN
        UPDATE account_balances b SET debit = b.debit + change.debit, credit = b.credit + change.credit, version = known + 1
        WHERE b.customer_id = change.customer_id AND b.account = change.account AND b.currency = change.currency
          AND b.version = known;
      ELSE
        INSERT INTO account_balances VALUES (change.customer_id, change.account, change.currency, change.debit, change.credit, 1)
        ON CONFLICT DO NOTHING;
      END IF;
      kept := FOUND;
      EXIT WHEN kept;
    END LOOP;
    IF NOT kept THEN
      INSERT INTO findings (finding_id, code, customer_id, subject, detail)
      VALUES (md5(format('account-balance %s %s %s %s', change.customer_id, change.account, change.currency, change.entry))::uuid,
        'ACCOUNT_BALANCE_NOT_KEPT', change.customer_id,
        jsonb_build_object('customer_id', change.customer_id, 'account', change.account, 'currency', change.currency, 'entry_id', change.entry),
        format('The balance of %s in %s could not be brought up to journal entry %s in 5 attempts; the entry is posted. Run "reckoner ledger rebuild".',
          change.account, change.currency, change.entry))
      ON CONFLICT (finding_id) DO NOTHING;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
-- Not ENABLE ALWAYS: a restore or a replica brings the balances themselves.
CREATE TRIGGER keep_account_balances AFTER INSERT ON postings
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION keep_account_balances();

INSERT INTO account_balances (customer_id, account, currency, debit, credit, version)
SELECT e.customer_id, p.account, p.currency, coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0),
  coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0), 1
FROM journal_entries e JOIN postings p USING (entry_id) GROUP BY 1, 2, 3;

-- Snapshots -----------------------------------------------------------------------------------------------------------

-- What the accounts came to: of all entries posted up to a day (the end of a closed month), or of all entries up to a place in
-- the journal.
CREATE TABLE ledger_snapshots (
  snapshot_id     uuid PRIMARY KEY,
  posted_through  date UNIQUE,
  through_entry   bigint UNIQUE,
  -- The latest created_at up to through_entry: the snapshot serves every instant from then on. NULL: there was no entry.
  through_instant timestamptz,
  taken_by        text NOT NULL,
  taken_at        timestamptz NOT NULL DEFAULT now(),
  CHECK ((posted_through IS NULL) <> (through_entry IS NULL))
);

CREATE TABLE ledger_snapshot_balances (
  snapshot_id     uuid NOT NULL REFERENCES ledger_snapshots,
  customer_id     text NOT NULL REFERENCES customers,
  account         text NOT NULL REFERENCES ledger_accounts,
  currency        text NOT NULL,
  debit           numeric NOT NULL,
  credit          numeric NOT NULL,
  PRIMARY KEY (snapshot_id, customer_id, account, currency)
);

-- Account mappings ----------------------------------------------------------------------------------------------------

-- Which account of another system (an ERP) an account is, for one product or for all that have no row of their own, from a posting
-- date on. Of two rows with the same date the one learned last holds.
CREATE TABLE ledger_account_mappings (
  account_mapping_id uuid PRIMARY KEY,
  mapping         text NOT NULL,
  account         text NOT NULL REFERENCES ledger_accounts,
  product         text,                        -- NULL: the default of the account
  external_account text NOT NULL,
  effective_from  date,                        -- NULL: from the beginning
  reason          text,
  mapped_by       text NOT NULL,
  learned_order   bigint GENERATED ALWAYS AS IDENTITY,
  learned_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_account_mappings_mapping ON ledger_account_mappings (mapping, account);

-- The export of a closed month never changes: there a row may only fill a gap.
CREATE FUNCTION require_mapping_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  open_from date;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1246907980);
  -- Two at once could both take the same gap.
  PERFORM pg_advisory_xact_lock(hashtextextended('ledger-mapping/' || NEW.mapping, 0));
  SELECT (max(month) + interval '1 month')::date INTO open_from FROM accounting_month_closings;
  IF (NEW.effective_from IS NULL OR NEW.effective_from < open_from) AND EXISTS (
      SELECT FROM ledger_account_mappings m WHERE m.mapping = NEW.mapping AND m.account = NEW.account
        AND (m.product IS NULL OR m.product = NEW.product) AND (m.effective_from IS NULL OR m.effective_from < open_from)) THEN
    RAISE check_violation USING MESSAGE =
      format('%s is mapped in a closed accounting month; %s is the first open day', NEW.account, open_from),
      CONSTRAINT = 'ledger_account_mappings_open_month';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER require_mapping_open BEFORE INSERT ON ledger_account_mappings FOR EACH ROW EXECUTE FUNCTION require_mapping_open();

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['accounting_month_closings', 'ledger_snapshots', 'ledger_snapshot_balances', 'ledger_account_mappings'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
