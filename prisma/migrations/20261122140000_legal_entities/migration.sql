-- Legal entities: who issues a document, with a number series a type of document (RULES 59). 'default' is the seller of the
-- configuration; its numbers have no prefix. docs/design/DATA_MODEL.md explains the tables.
CREATE TABLE legal_entities (
  code            text PRIMARY KEY CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
  created_at      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO legal_entities (code) VALUES ('default');

-- Whoever had a prefix first has it for ever, so that numbers are unique over all entities.
CREATE TABLE number_prefixes (
  number_prefix   text PRIMARY KEY CHECK (number_prefix ~ '^[A-Z0-9]+(-[A-Z0-9]+)*$' AND length(number_prefix) <= 32),
  code            text NOT NULL REFERENCES legal_entities CHECK (code <> 'default')
);

-- The greatest version of a code holds.
CREATE TABLE legal_entity_versions (
  code            text NOT NULL REFERENCES legal_entities CHECK (code <> 'default'),
  version         integer NOT NULL CHECK (version >= 1),
  number_prefix   text NOT NULL REFERENCES number_prefixes,
  seller          jsonb NOT NULL,                -- name, address, tax_id, email: printed on its documents
  defined_by      text NOT NULL,
  defined_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (code, version)
);

ALTER TABLE customer_versions ADD COLUMN legal_entity text NOT NULL DEFAULT 'default' REFERENCES legal_entities;
ALTER TABLE invoices ADD COLUMN legal_entity text NOT NULL DEFAULT 'default' REFERENCES legal_entities;

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['legal_entities', 'number_prefixes', 'legal_entity_versions'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;
