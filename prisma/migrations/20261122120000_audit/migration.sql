-- Audit log (ADR-017): hash chains of what is written to audited tables, blocks of the usage ledger's facts, signed checkpoints.
-- docs/guides/AUDIT.md says what it proves; src/domain/audit recomputes every hash of it independently.

-- What of a table is hashed. A version is never changed: rows are verified under the version that they were written under.
CREATE TABLE audit_layouts (
  table_name      text NOT NULL,
  version         integer NOT NULL CHECK (version >= 1),
  mode            text NOT NULL CHECK (mode IN ('chain', 'block')),
  key_columns     text[] NOT NULL,
  columns         text[] NOT NULL,               -- in order of code units
  personal        text[] NOT NULL,               -- of these only a salted commitment is hashed
  added_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (table_name, version)
);

-- The rows that one statement wrote to one table, of one scope: 'customer/' and the id, or 'deployment' for what has no customer.
CREATE TABLE audit_changes (
  change_id       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  batch           bigint NOT NULL,               -- one a transaction
  scope           text NOT NULL,
  table_name      text NOT NULL,
  layout          integer NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('insert', 'genesis')), -- genesis: it was there before the table was audited
  row_keys        text[] NOT NULL,               -- each a JSON list of the primary key's texts
  row_digests     bytea[] NOT NULL,              -- SHA-256 of the rows, in the order of row_keys
  actor           text,                          -- as far as the rows say
  digest          bytea NOT NULL                 -- SHA-256 of all of the above but change_id and batch
);
CREATE INDEX audit_changes_batch ON audit_changes (batch, scope);

-- A chain a scope: what one transaction did in it, with the hash of the entry before.
CREATE TABLE audit_entries (
  scope           text NOT NULL,
  sequence        bigint NOT NULL CHECK (sequence >= 1),
  batch           bigint NOT NULL,
  change_ids      bigint[] NOT NULL,             -- in order
  actor           text,
  at              timestamptz NOT NULL,
  previous_hash   bytea NOT NULL,
  hash            bytea NOT NULL,
  PRIMARY KEY (scope, sequence),
  UNIQUE (scope, batch)
);
CREATE SEQUENCE audit_batch AS bigint START 1;

-- Personal data of audited rows is hashed as a commitment, SHA-256 of salt and content. Whoever erases the content erases the
-- salt as well: the chain goes on verifying, and nothing tells what the content was.
CREATE TABLE audit_commitments (
  table_name      text NOT NULL,
  row_key         text NOT NULL,
  commitment      bytea NOT NULL,
  salt            uuid,                          -- NULL: erased
  PRIMARY KEY (table_name, row_key)
);

-- The facts of the usage ledger, in blocks without a gap; made behind the safe horizon, so that ingest pays nothing for them.
CREATE TABLE audit_blocks (
  block_number    bigint PRIMARY KEY CHECK (block_number >= 1),
  from_position   bigint NOT NULL,               -- exclusive
  to_position     bigint NOT NULL,               -- inclusive
  facts           integer NOT NULL CHECK (facts >= 1),
  layouts         jsonb NOT NULL,                -- by table the version of its layout
  content         bytea NOT NULL,                -- SHA-256 over position, table and digest of every fact
  fact_index      bytea NOT NULL,                -- 17 bytes a fact: position, table, begin of its digest; it names what is missing
  sealed_at       timestamptz NOT NULL,
  previous_hash   bytea NOT NULL,
  hash            bytea NOT NULL,
  CHECK (from_position < to_position)
);

-- Heads of chains, signed together; a checkpoint names those that moved since the checkpoints before.
CREATE TABLE audit_keys (
  key_id          text PRIMARY KEY,              -- begin of the SHA-256 of the public key
  public_key      text NOT NULL,                 -- PEM; private keys are never stored here
  added_at        timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_checkpoints (
  checkpoint_number bigint PRIMARY KEY CHECK (checkpoint_number >= 1),
  at              timestamptz NOT NULL,
  block_number    bigint,                        -- the last block then
  block_hash      bytea,
  previous_hash   bytea NOT NULL,
  hash            bytea NOT NULL,
  key_id          text NOT NULL REFERENCES audit_keys,
  signature       bytea NOT NULL,
  CHECK ((block_number IS NULL) = (block_hash IS NULL))
);
CREATE TABLE audit_checkpoint_heads (
  checkpoint_number bigint NOT NULL REFERENCES audit_checkpoints,
  scope           text NOT NULL,
  sequence        bigint NOT NULL,
  hash            bytea NOT NULL,
  PRIMARY KEY (checkpoint_number, scope)
);
CREATE INDEX audit_checkpoint_heads_scope ON audit_checkpoint_heads (scope, sequence);

-- Hash inputs: JSON as RFC 8785 has it -------------------------------------------------------------------------------

CREATE FUNCTION audit_sha256(content text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT sha256(convert_to(content, 'UTF8')) $$;
CREATE FUNCTION audit_instant(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- SQL of a member of a row's JSON text, of `r`; NULL where the column is NULL, so that it is left out. Independent of the
-- session's settings.
CREATE FUNCTION audit_member_sql(of_table regclass, of_column text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT format('%L || to_json(%s)::text', to_json(of_column)::text || ':', format(
    CASE atttypid
      WHEN 'timestamptz'::regtype THEN 'audit_instant(r.%I)'
      WHEN 'date'::regtype THEN 'to_char(r.%I, ''YYYY-MM-DD'')'
      WHEN 'bytea'::regtype THEN 'encode(r.%I, ''hex'')'
      ELSE 'r.%I::text'
    END, of_column))
  FROM pg_attribute WHERE attrelid = of_table AND attname = of_column
$$;

-- SQL of the JSON text of these columns of `r`, and of further members behind them.
CREATE FUNCTION audit_row_sql(of_table regclass, columns text[], further text DEFAULT NULL) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT '''{'' || concat_ws('','', ' || concat_ws(', ', (
    SELECT string_agg(audit_member_sql(of_table, c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY AS u (c, n)), further) || ') || ''}'''
$$;

-- SQL of a row's key: a JSON list of texts.
CREATE FUNCTION audit_key_sql(key_columns text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'to_json(ARRAY[' || string_agg(format('r.%I::text', c), ', ' ORDER BY n) || '])::text' FROM unnest(key_columns) WITH ORDINALITY AS u (c, n)
$$;

-- The digest of a change.
CREATE FUNCTION audit_change_digest(scope text, table_name text, layout integer, kind text, row_keys text[], row_digests bytea[], actor text)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT audit_sha256('{' || concat_ws(',',
    '"actor":' || to_json(actor)::text,
    '"digests":' || to_json(ARRAY(SELECT encode(d, 'hex') FROM unnest(row_digests) WITH ORDINALITY AS u (d, n) ORDER BY n))::text,
    '"keys":' || to_json(row_keys)::text,
    '"kind":"' || kind || '"',
    '"layout":' || layout,
    '"scope":' || to_json(scope)::text,
    '"table":' || to_json(table_name)::text) || '}')
$$;

-- Chains --------------------------------------------------------------------------------------------------------------

-- The batch of this transaction's changes that are not in a chain yet.
CREATE FUNCTION audit_current_batch() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  batch text := current_setting('reckoner.audit_batch', true);
BEGIN
  IF batch IS NULL OR batch = '' THEN
    batch := nextval('audit_batch')::text;
    PERFORM set_config('reckoner.audit_batch', batch, true);
  END IF;
  RETURN batch::bigint;
END $$;

-- An entry in every chain that the batch has changes of. The locks are the last ones that a transaction takes (its commit has
-- begun), so nobody waits behind them in a circle. Beyond a hundred chains they are all locked at once instead of each.
CREATE FUNCTION audit_append(of_batch bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  link record;
  head record;
  entry_at timestamptz;
BEGIN
  -- What comes after it (constraints made immediate in mid-transaction) is another batch.
  PERFORM set_config('reckoner.audit_batch', '', true);
  IF (SELECT count(DISTINCT c.scope) > 100 FROM audit_changes c WHERE c.batch = of_batch) THEN
    LOCK TABLE audit_entries IN SHARE ROW EXCLUSIVE MODE;
  ELSE
    LOCK TABLE audit_entries IN ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(k) FROM (
      SELECT DISTINCT hashtextextended(c.scope, 0) AS k FROM audit_changes c WHERE c.batch = of_batch ORDER BY k) AS locks;
  END IF;
  FOR link IN
    SELECT c.scope, array_agg(c.change_id ORDER BY c.change_id) AS change_ids, (array_agg(c.actor ORDER BY c.change_id) FILTER (WHERE c.actor IS NOT NULL))[1] AS actor,
      '["' || string_agg(encode(c.digest, 'hex'), '","' ORDER BY c.change_id) || '"]' AS changes
    FROM audit_changes c WHERE c.batch = of_batch GROUP BY c.scope ORDER BY c.scope
  LOOP
    SELECT e.sequence, e.hash INTO head FROM audit_entries e WHERE e.scope = link.scope ORDER BY e.sequence DESC LIMIT 1;
    entry_at := clock_timestamp();
    INSERT INTO audit_entries (scope, sequence, batch, change_ids, actor, at, previous_hash, hash)
    SELECT link.scope, n.sequence, of_batch, link.change_ids, link.actor, entry_at, n.previous, audit_sha256('{' || concat_ws(',',
      '"actor":' || to_json(link.actor)::text,
      '"at":"' || audit_instant(entry_at) || '"',
      '"changes":' || link.changes,
      '"previous":"' || encode(n.previous, 'hex') || '"',
      '"scope":' || to_json(link.scope)::text,
      '"sequence":' || n.sequence) || '}')
    FROM (SELECT coalesce(head.sequence, 0) + 1 AS sequence, coalesce(head.hash, '\x'::bytea) AS previous) AS n;
  END LOOP;
END $$;

-- At the commit, once a batch.
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  chained bigint;
BEGIN
  SELECT e.change_ids[cardinality(e.change_ids)] INTO chained FROM audit_entries e WHERE e.scope = NEW.scope AND e.batch = NEW.batch;
  IF chained IS NULL THEN
    PERFORM audit_append(NEW.batch);
  ELSIF chained < NEW.change_id THEN
    RAISE EXCEPTION 'change % names a batch that is in its chain already', NEW.change_id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_chain AFTER INSERT ON audit_changes
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_chain();

-- SQL that appends changes for the rows of `source` (named r), at most a thousand rows each.
CREATE FUNCTION audit_changes_sql(layout audit_layouts, source text, scope text, kind text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  of_table regclass := layout.table_name::regclass;
  row_key text := audit_key_sql(layout.key_columns);
  -- Who decided, as the tables call it.
  actor text := coalesce((SELECT format('r.%I', a.attname) FROM pg_attribute a WHERE a.attrelid = of_table AND NOT a.attisdropped
    AND a.attname = ANY (ARRAY['actor', 'decided_by', 'requested_by', 'granted_by', 'voided_by', 'resolved_by', 'imported_by', 'corrected_by',
      'started_by', 'defined_by', 'created_by', 'released_by', 'recorded_by']) ORDER BY a.attname LIMIT 1), 'NULL::text');
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

-- Takes a table into the audit: `SELECT audit_table('payments')` in a migration. Again after its columns have changed. Rows that
-- are there and in no chain are brought in ('genesis').
--
-- of_parent: whose customer_id it is where the table has none of its own, found by the foreign key to it; 'deployment': nobody's.
-- of_personal: columns of which only a salted commitment is hashed.
CREATE FUNCTION audit_table(of_name text, of_parent text DEFAULT NULL, of_personal text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  of_table regclass := of_name::regclass;
  keys text[] := (SELECT array_agg(a.attname::text ORDER BY u.n) FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS u (attnum, n)
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.attnum WHERE c.conrelid = of_table AND c.contype = 'p');
  hashed text[] := (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a
    WHERE a.attrelid = of_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attname::text <> ALL (of_personal));
  scope text;
  layout audit_layouts;
BEGIN
  INSERT INTO audit_layouts (table_name, version, mode, key_columns, columns, personal)
  SELECT of_name, coalesce(max(l.version), 0) + 1, 'chain', keys, hashed, of_personal FROM audit_layouts l WHERE l.table_name = of_name
  RETURNING * INTO layout;
  IF of_parent = 'deployment' THEN
    scope := quote_literal('deployment') || '::text';
  ELSIF of_parent IS NULL THEN
    scope := $sql$coalesce('customer/' || r.customer_id, 'deployment')$sql$;
  ELSE
    SELECT format($sql$coalesce('customer/' || (SELECT p.customer_id FROM %s AS p WHERE %s), 'deployment')$sql$, of_parent,
        string_agg(format('p.%I = r.%I', pa.attname, ca.attname), ' AND ')) INTO STRICT scope
    FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS u (child, parent_column)
    JOIN pg_attribute ca ON ca.attrelid = c.conrelid AND ca.attnum = u.child
    JOIN pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = u.parent_column
    WHERE c.contype = 'f' AND c.conrelid = of_table AND c.confrelid = of_parent::regclass;
  END IF;
  EXECUTE format('CREATE OR REPLACE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF EXISTS (SELECT FROM audit_new_rows) THEN
    %s;
  END IF;
  RETURN NULL;
END $f$',
    'audit_of_' || of_name, audit_changes_sql(layout, 'audit_new_rows', scope, 'insert'));
  EXECUTE format('CREATE OR REPLACE TRIGGER audit AFTER INSERT ON %I REFERENCING NEW TABLE AS audit_new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION %I()', of_name, 'audit_of_' || of_name);
  EXECUTE audit_changes_sql(layout, format('(SELECT r.* FROM %I AS r WHERE %s NOT IN (
    SELECT unnest(c.row_keys) FROM audit_changes c WHERE c.table_name = %L))', of_name, audit_key_sql(keys), of_name), scope, 'genesis');
END $$;


-- Blocks --------------------------------------------------------------------------------------------------------------

-- Takes a table of the usage ledger into the blocks; its facts have positions.
CREATE FUNCTION audit_ledger_table(of_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_layouts (table_name, version, mode, key_columns, columns, personal)
  SELECT of_name, (SELECT coalesce(max(l.version), 0) + 1 FROM audit_layouts l WHERE l.table_name = of_name), 'block',
    (SELECT array_agg(a.attname::text ORDER BY u.n) FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS u (attnum, n)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.attnum WHERE c.conrelid = of_name::regclass AND c.contype = 'p'),
    (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a
      WHERE a.attrelid = of_name::regclass AND a.attnum > 0 AND NOT a.attisdropped), '{}';
END $$;

-- Seals the next facts at or below the horizon, at most so many, as one block; answers its number, NULL when there is none.
-- One at a time. The horizon must be safe: nothing uncommitted can still appear at or below it.
CREATE FUNCTION audit_seal(horizon bigint, facts_max integer) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  last audit_blocks;
  upper_position bigint;
  facts text;
  first_position bigint;
  number bigint;
  sealed_at timestamptz := clock_timestamp();
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit-blocks', 0));
  SELECT * INTO last FROM audit_blocks b ORDER BY b.block_number DESC LIMIT 1;
  first_position := coalesce(last.to_position, 0);
  SELECT string_agg(format('SELECT r.position FROM %I r WHERE r.position > $1 AND r.position <= $2', l.table_name), ' UNION ALL ')
    INTO facts FROM (SELECT DISTINCT table_name FROM audit_layouts WHERE mode = 'block') AS l;
  EXECUTE format('SELECT max(position) FROM (SELECT position FROM (%s) AS f ORDER BY position LIMIT $3) AS f', facts)
    INTO upper_position USING first_position, horizon, facts_max;
  IF upper_position IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT string_agg(format('SELECT r.position, %s AS place, audit_sha256(%s) AS digest FROM %I r WHERE r.position > $1 AND r.position <= $2',
      row_number, audit_row_sql(l.table_name::regclass, l.columns), l.table_name), ' UNION ALL ') INTO facts
  FROM (SELECT DISTINCT ON (table_name) table_name, columns, dense_rank() OVER (ORDER BY table_name COLLATE "C") AS row_number
    FROM audit_layouts WHERE mode = 'block' ORDER BY table_name, version DESC) AS l;
  number := coalesce(last.block_number, 0) + 1;
  EXECUTE format($sql$
    WITH facts AS (%s),
    block AS (
      SELECT count(*)::int AS facts,
        sha256(string_agg(int8send(f.position) || decode(lpad(to_hex(f.place), 2, '0'), 'hex') || f.digest, ''::bytea ORDER BY f.position)) AS content,
        string_agg(int8send(f.position) || decode(lpad(to_hex(f.place), 2, '0'), 'hex') || substr(f.digest, 1, 8), ''::bytea ORDER BY f.position) AS fact_index
      FROM facts f),
    layouts AS (SELECT jsonb_object_agg(table_name, version) AS layouts, '{' || string_agg(to_json(table_name)::text || ':' || version, ',' ORDER BY table_name COLLATE "C") || '}' AS text
      FROM (SELECT table_name, max(version) AS version FROM audit_layouts WHERE mode = 'block' GROUP BY table_name) AS l)
    INSERT INTO audit_blocks (block_number, from_position, to_position, facts, layouts, content, fact_index, sealed_at, previous_hash, hash)
    SELECT $3, $1, $2, b.facts, l.layouts, b.content, b.fact_index, $5, $4, audit_sha256('{' || concat_ws(',',
      '"at":"' || audit_instant($5) || '"',
      '"block":' || $3,
      '"content":"' || encode(b.content, 'hex') || '"',
      '"facts":' || b.facts,
      '"from":"' || $1 || '"',
      '"layouts":' || l.text,
      '"previous":"' || encode($4, 'hex') || '"',
      '"to":"' || $2 || '"') || '}')
    FROM block b, layouts l$sql$, facts)
  USING first_position, upper_position, number, coalesce(last.hash, '\x'::bytea), sealed_at;
  RETURN number;
END $$;

-- Whoever inserts a block: it goes on where the last one ends.
CREATE FUNCTION require_contiguous_block() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last audit_blocks;
BEGIN
  SELECT * INTO last FROM audit_blocks b ORDER BY b.block_number DESC LIMIT 1;
  IF NEW.block_number <> coalesce(last.block_number, 0) + 1 OR NEW.from_position <> coalesce(last.to_position, 0)
      OR NEW.previous_hash <> coalesce(last.hash, '\x'::bytea) THEN
    RAISE check_violation USING MESSAGE = format('audit block %s does not go on where block %s ends', NEW.block_number, last.block_number);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER require_contiguous_block BEFORE INSERT ON audit_blocks FOR EACH ROW EXECUTE FUNCTION require_contiguous_block();

-- Append-only ---------------------------------------------------------------------------------------------------------

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['audit_layouts', 'audit_changes', 'audit_entries', 'audit_blocks', 'audit_keys', 'audit_checkpoints',
    'audit_checkpoint_heads'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER refuse_change', t);
  END LOOP;
END $$;

-- Of a commitment only the salt goes, and for good.
CREATE FUNCTION only_erase_salt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.salt IS NOT NULL OR (NEW.table_name, NEW.row_key, NEW.commitment) IS DISTINCT FROM (OLD.table_name, OLD.row_key, OLD.commitment) THEN
    RAISE EXCEPTION 'audit_commitments: only the salt can be erased' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER only_erase_salt BEFORE UPDATE ON audit_commitments FOR EACH ROW EXECUTE FUNCTION only_erase_salt();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON audit_commitments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_commitments ENABLE ALWAYS TRIGGER only_erase_salt;
ALTER TABLE audit_commitments ENABLE ALWAYS TRIGGER refuse_change;
