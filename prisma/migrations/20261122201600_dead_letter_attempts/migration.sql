-- What somebody begins to send in place of a dead letter, before it is sent: a second one with another content waits until it is
-- known what became of the first (docs/design/DATA_MODEL.md).
CREATE TABLE dead_letter_attempts (
  dead_letter_id  uuid NOT NULL REFERENCES dead_letters,
  sequence        integer NOT NULL CHECK (sequence >= 1),
  payload         text,                          -- what is sent in place of the kept payload; NULL: the kept payload
  attempted_by    text NOT NULL,
  reason          text,
  attempted_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (dead_letter_id, sequence)
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON dead_letter_attempts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE dead_letter_attempts ENABLE ALWAYS TRIGGER refuse_change;

-- The last attempt that a decision has settled; NULL in what was decided before there were attempts, and in what settles none.
ALTER TABLE dead_letter_decisions ADD COLUMN attempt integer;
