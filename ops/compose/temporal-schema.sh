#!/bin/sh
# Makes Temporal's two databases when they are missing, and brings their schema to the version of this image.
set -eu

sql() {
  temporal-sql-tool --plugin "$DB" --ep "$POSTGRES_SEEDS" --port "$DB_PORT" --user "$POSTGRES_USER" "$@"
}

for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  schema=/etc/temporal/schema/postgresql/v12/${pair##*:}/versioned
  # Each of the three leaves alone what an earlier start has done.
  sql --db "$database" create
  sql --db "$database" setup-schema --version 0.0
  sql --db "$database" update-schema --schema-dir "$schema"
done
