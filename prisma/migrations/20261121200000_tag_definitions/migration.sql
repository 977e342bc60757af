-- The tag registry. docs/design/DATA_MODEL.md explains the table.

-- What is registered of a tag; the greatest version of a key holds.
CREATE TABLE tag_definitions (
  key             text NOT NULL CHECK (key ~ '^[A-Za-z0-9_.:/-]{1,64}$'),
  version         integer NOT NULL CHECK (version >= 1),
  description     text,
  allowed_values  text[] NOT NULL,               -- empty: any text
  required_for    text[] NOT NULL,               -- event types; '*' alone: every one
  retired         boolean NOT NULL,
  defined_by      text NOT NULL,
  defined_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (key, version)
);

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON tag_definitions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE tag_definitions ENABLE ALWAYS TRIGGER refuse_change;
