-- Documents: canonical lines, tax, presentation, renderings. docs/design/DATA_MODEL.md explains every table, RULES 54 to 58 what they mean.

INSERT INTO ledger_accounts (account, name, kind) VALUES
  ('tax_payable', 'Tax payable', 'liability')
  ON CONFLICT (account) DO NOTHING;

ALTER TABLE customer_versions
  ADD COLUMN locale               text NOT NULL DEFAULT 'en',
  ADD COLUMN itemisation          text NOT NULL DEFAULT 'group' CHECK (itemisation IN ('summary', 'meter', 'group', 'detailed')),
  ADD COLUMN tax_treatment        text NOT NULL DEFAULT 'standard'
    CHECK (tax_treatment IN ('standard', 'reduced', 'zero', 'exempt', 'reverse_charge')),
  ADD COLUMN tax_exemption_reason text;

-- What was issued before is of schema 1: its hash covers what it said then.
ALTER TABLE invoices
  ADD COLUMN schema_version integer NOT NULL DEFAULT 1 CHECK (schema_version >= 1),
  ADD COLUMN locale         text NOT NULL DEFAULT 'en',
  ADD COLUMN itemisation    text NOT NULL DEFAULT 'group',
  ADD COLUMN tax_terms      jsonb;               -- whose rates, of which day, rounded how; NULL: nothing was taxed
CREATE INDEX invoices_taxed ON invoices (issued_at, invoice_id) WHERE tax_terms IS NOT NULL;

-- Of documents of schema 2; NULL on the lines of schema 1.
ALTER TABLE invoice_line_items
  ADD COLUMN kind        text CHECK (kind IN ('usage', 'fee', 'commitment', 'adjustment')),
  ADD COLUMN charge_code text,
  ADD COLUMN unit        text,
  ADD COLUMN unit_price  numeric,                -- NULL: no price times the quantity is the whole line
  ADD COLUMN tags        jsonb,
  ADD COLUMN metadata    jsonb,
  ADD COLUMN provenance  jsonb,
  ADD COLUMN tax_lines   integer[] NOT NULL DEFAULT '{}',
  ADD CHECK (num_nulls(kind, charge_code, tags, metadata, provenance) IN (0, 5));

CREATE TABLE invoice_tax_lines (
  invoice_id      uuid NOT NULL REFERENCES invoices,
  tax_line_number integer NOT NULL CHECK (tax_line_number >= 1),
  jurisdiction    text NOT NULL,
  category        text NOT NULL CHECK (category IN ('standard', 'reduced', 'zero', 'exempt', 'reverse_charge')),
  rate            numeric NOT NULL CHECK (rate >= 0), -- percent
  taxable_amount  numeric NOT NULL,
  amount          numeric NOT NULL,
  reason_code     text,
  reason          text,
  PRIMARY KEY (invoice_id, tax_line_number)
);

-- What a tax provider was told of a document, which it knows by its id.
CREATE TABLE tax_reports (
  invoice_id      uuid NOT NULL REFERENCES invoices,
  action          text NOT NULL CHECK (action IN ('commit', 'credit', 'void')),
  provider        text NOT NULL,
  reference       text NOT NULL,                 -- its own name of what it was told
  reported_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, action)
);

-- The bytes that a document was first given out as; another rendering by the same renderer must be the same.
CREATE TABLE invoice_renderings (
  invoice_id      uuid NOT NULL REFERENCES invoices,
  format          text NOT NULL CHECK (format IN ('pdf', 'factur-x')),
  marked          boolean NOT NULL,              -- void
  renderer        text NOT NULL,                 -- the program's layout, and what else decides bytes
  sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  byte_length     integer NOT NULL CHECK (byte_length > 0),
  rendered_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, format, marked, renderer)
);

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['invoice_tax_lines', 'tax_reports', 'invoice_renderings'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
