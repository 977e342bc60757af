-- Schemas of event types, in versions.

-- What the metadata of an event type's events must be, as JSON Schema (draft 2020-12). Versions are numbered 1, 2, 3 … without a
-- gap; compatibility is the mode under which the version was compared with all earlier ones.
CREATE TABLE event_schemas (
  event_type      text NOT NULL CHECK (char_length(event_type) BETWEEN 1 AND 128),
  version         integer NOT NULL CHECK (version >= 1),
  schema          jsonb NOT NULL,
  compatibility   text NOT NULL CHECK (compatibility IN ('backward', 'forward', 'full', 'none')),
  created_by      text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_type, version)
);

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event_schemas
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event_schemas ENABLE ALWAYS TRIGGER refuse_change;

-- The version that the event was validated against; NULL: its type had none. No part of its content. Without a CHECK, which every
-- event would pay for.
ALTER TABLE telemetry_events ADD COLUMN schema_version integer;
