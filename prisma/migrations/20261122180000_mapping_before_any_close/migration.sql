-- Before a month was closed nothing has been exported that must not change: a mapping may be superseded from the beginning.
CREATE OR REPLACE FUNCTION require_mapping_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  open_from date;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1246907980);
  -- Two at once could both take the same gap.
  PERFORM pg_advisory_xact_lock(hashtextextended('ledger-mapping/' || NEW.mapping, 0));
  SELECT (max(month) + interval '1 month')::date INTO open_from FROM accounting_month_closings;
  IF open_from IS NOT NULL AND (NEW.effective_from IS NULL OR NEW.effective_from < open_from) AND EXISTS (
      SELECT FROM ledger_account_mappings m WHERE m.mapping = NEW.mapping AND m.account = NEW.account
        AND (m.product IS NULL OR m.product = NEW.product) AND (m.effective_from IS NULL OR m.effective_from < open_from)) THEN
    RAISE check_violation USING MESSAGE =
      format('%s is mapped in a closed accounting month; %s is the first open day', NEW.account, open_from),
      CONSTRAINT = 'ledger_account_mappings_open_month';
  END IF;
  RETURN NEW;
END $$;
