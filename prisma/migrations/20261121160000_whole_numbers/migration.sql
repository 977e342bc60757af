-- Whether a text can be read as bigint: the cheap first question of the guard on values (src/storage/aggregation-sql-fragments.ts).
-- A function because Postgres 16 has a fast answer and older ones need a regular expression; it is inlined where it is used.
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 160000 THEN
    CREATE FUNCTION reads_as_bigint(value text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
      AS 'SELECT pg_input_is_valid(value, ''bigint'')';
  ELSE
    CREATE FUNCTION reads_as_bigint(value text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
      AS 'SELECT value COLLATE "C" ~ ''^(?:0|-?[1-9][0-9]{0,17})$''';
  END IF;
END $$;
