-- Entries of the audit log name whoever a row names as `actor` or in a column that ends in `_by`, in tables that come later as well.

CREATE FUNCTION audit_actor_column(of_table regclass) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = of_table AND a.attnum > 0 AND NOT a.attisdropped
    AND a.atttypid = 'text'::regtype AND (a.attname = 'actor' OR a.attname LIKE '%\_by') ORDER BY a.attname LIMIT 1
$$;

-- SQL that appends changes for the rows of `source` (named r), at most a thousand rows each.
CREATE OR REPLACE FUNCTION audit_changes_sql(layout audit_layouts, source text, scope text, kind text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  of_table regclass := layout.table_name::regclass;
  row_key text := audit_key_sql(layout.key_columns);
  actor text := coalesce('r.' || quote_ident(audit_actor_column(of_table)), 'NULL::text');
  commitments text := '';
  further text := NULL;
BEGIN
  IF layout.personal <> '{}' THEN
    commitments := format($sql$WITH salted AS MATERIALIZED (SELECT r.*, gen_random_uuid() AS audit_salt FROM %s AS r),
      committed AS MATERIALIZED (SELECT r.*, audit_sha256(r.audit_salt::text || %s) AS audit_commitment FROM salted AS r),
      kept AS (INSERT INTO audit_commitments (table_name, row_key, commitment, salt)
        SELECT %L, %s, r.audit_commitment, r.audit_salt FROM committed AS r)
    $sql$,
      source, audit_row_sql(of_table, layout.personal), layout.table_name, row_key);
    source := 'committed';
    further := $sql$'"~personal":"' || encode(r.audit_commitment, 'hex') || '"'$sql$;
  END IF;
  -- The batch is drawn once, and only when there is a row.
  RETURN format($sql$%1$sINSERT INTO audit_changes (batch, scope, table_name, layout, kind, row_keys, row_digests, actor, digest)
    SELECT (SELECT audit_current_batch()), g.scope, %7$L, %8$s, %9$L, g.row_keys, g.row_digests, g.actor,
      audit_change_digest(g.scope, %7$L, %8$s, %9$L, g.row_keys, g.row_digests, g.actor)
    FROM (SELECT p.scope, array_agg(p.row_key ORDER BY p.row_key COLLATE "C") AS row_keys,
        array_agg(p.digest ORDER BY p.row_key COLLATE "C") AS row_digests, max(p.actor) AS actor
      FROM (SELECT h.*, (row_number() OVER (PARTITION BY h.scope ORDER BY h.row_key COLLATE "C") - 1) / 1000 AS part
        FROM (SELECT %2$s AS scope, %3$s AS row_key, audit_sha256(%4$s) AS digest, %5$s AS actor FROM %6$s AS r) AS h) AS p
      GROUP BY p.scope, p.part) AS g$sql$,
    commitments, scope, row_key, audit_row_sql(of_table, layout.columns, further), actor, source, layout.table_name, layout.version, kind);
END $$;

-- The functions of tables that are audited already: what they hash stays, and so do the layouts.
DO $$
DECLARE
  t record;
BEGIN
  FOR t IN SELECT l.of_table, pg_get_functiondef(to_regproc(quote_ident('audit_of_' || l.of_table))) AS definition
      FROM (SELECT DISTINCT table_name AS of_table FROM audit_layouts WHERE mode = 'chain') AS l LOOP
    IF audit_actor_column(t.of_table::regclass) IS NOT NULL THEN
      EXECUTE replace(t.definition, 'NULL::text AS actor', format('r.%I AS actor', audit_actor_column(t.of_table::regclass)));
    END IF;
  END LOOP;
END $$;
