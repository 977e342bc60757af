-- The requests that adjusted an event, or found it adjusted as they asked: one that comes again after its Idempotency-Key is forgotten
-- changes nothing, whatever was decided about the event meanwhile (RULES 66).
CREATE TABLE event_adjustment_requests (
  request_id     uuid PRIMARY KEY,              -- of who asked, the key, and the content
  adjustment_id  uuid NOT NULL REFERENCES event_adjustments,
  requested_at   timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event_adjustment_requests
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event_adjustment_requests ENABLE ALWAYS TRIGGER refuse_change;
