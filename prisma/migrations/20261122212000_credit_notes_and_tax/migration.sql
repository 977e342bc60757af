-- What a tax provider was told of a credit note by hand, which it knows by its id: as tax_reports of documents (RULES 56).
CREATE TABLE credit_note_tax_reports (
  credit_note_id  uuid NOT NULL REFERENCES credit_notes,
  action          text NOT NULL CHECK (action IN ('credit', 'void')),
  provider        text NOT NULL,
  reference       text NOT NULL,                 -- its own name of what it was told
  reported_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (credit_note_id, action)
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_note_tax_reports
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE credit_note_tax_reports ENABLE ALWAYS TRIGGER refuse_change;
SELECT audit_table('credit_note_tax_reports', 'credit_notes');
