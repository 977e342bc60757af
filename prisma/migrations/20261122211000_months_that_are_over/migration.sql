-- A month is closed when it is over everywhere (RULES 46), whoever closes it: closing one of the future would move every posting
-- until then behind it, for ever.
CREATE OR REPLACE FUNCTION require_next_month() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last date;
  over_at timestamptz := (NEW.month + interval '1 month 12 hours') AT TIME ZONE 'UTC';
BEGIN
  PERFORM pg_advisory_xact_lock(1246907980);
  IF clock_timestamp() < over_at THEN
    RAISE check_violation USING MESSAGE = format('%s is over everywhere at %s UTC; it can be closed then', to_char(NEW.month, 'YYYY-MM'),
      to_char(over_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')), CONSTRAINT = 'accounting_month_closings_over';
  END IF;
  SELECT max(month) INTO last FROM accounting_month_closings;
  IF NEW.month <> (last + interval '1 month')::date THEN
    RAISE check_violation USING MESSAGE = format('the month after %s is to be closed, not %s', last, NEW.month),
      CONSTRAINT = 'accounting_month_closings_in_order';
  END IF;
  SELECT coalesce(max(entry_order), 0) INTO NEW.through_entry FROM journal_entries;
  RETURN NEW;
END $$;
