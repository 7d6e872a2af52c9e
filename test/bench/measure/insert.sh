# What asking costs, beside a bare table with the same columns, defaults and indexes
# in the same run: a statement of many rows, COPY, and single rows of 8 writers.  The
# worker is disarmed, so that nothing is sent meanwhile.  The best of the rounds
# counts, as whatever else the machine does can only cost.
#
#   ROUNDS=3  ROWS=100000  COPY_ROWS=1000000  WRITER_SECONDS=5

measure_insert() {
  local round rounds=${ROUNDS:-3} rows=${ROWS:-100000} copied
  start_api
  start_server
  copied=$(as_many_as_fit "${COPY_ROWS:-1000000}" 4000 "rows for COPY")
  sql -c "SELECT reengage.disarm()" -c "CREATE SCHEMA bare" -c "CREATE TABLE bare.nudges (LIKE reengage.nudges INCLUDING DEFAULTS INCLUDING INDEXES)" \
    -c "COPY (SELECT 'copy-' || n, 'Are you still there?', 'copy' FROM generate_series(1, $copied) n) TO '$stage/work/nudges.copy'" >/dev/null
  for ((round = 1; round <= rounds; round++)); do
    ask_by_statement "$rows" reengage bare
    ask_by_copy "$copied" reengage bare
    ask_by_writers "${WRITER_SECONDS:-5}" reengage bare
  done >"$stage/asked"
  note_ratios "$rows" "$copied"
  rm -f "$stage/work/nudges.copy"
}

# All begin with tables as empty as a new database's.
empty_tables() {
  sql -c "SET session_replication_role = replica" -c "TRUNCATE reengage.nudges, reengage.due, bare.nudges" -c CHECKPOINT
}

# The time that psql tells, in seconds.
seconds_of() { # schema, statement
  empty_tables
  sql -c '\timing on' -c "$2" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk '{ print $1 / 1000 }'
}

ask_by_statement() { # rows, schemas
  local rows=$1 schema
  shift
  for schema in "$@"; do
    echo "statement $schema $(seconds_of "$schema" "INSERT INTO $schema.nudges (server, conversation_id, message, campaign)
      SELECT 'api', 'insert-' || n, 'Are you still there?', 'insert' FROM generate_series(1, $rows) n")"
  done
}

ask_by_copy() { # rows, schemas
  local schema
  shift
  for schema in "$@"; do
    echo "copy $schema $(seconds_of "$schema" "COPY $schema.nudges (conversation_id, message, campaign) FROM '$stage/work/nudges.copy'")"
  done
}

# Rows a second of 8 sessions, each row a transaction.
ask_by_writers() { # seconds, schemas
  local seconds=$1 schema
  shift
  [ -x "$bindir/pgbench" ] || { [ -e "$stage/no_pgbench" ] || skip "insert by 8 writers" "pgbench is not here"; : >"$stage/no_pgbench"; return; }
  for schema in "$@"; do
    empty_tables
    printf '\\set n random(1, 1000000000)\nINSERT INTO %s.nudges (server, conversation_id, message, campaign) VALUES (%s, %s, %s, %s);\n' \
      "$schema" "'api'" "'writer-' || :n" "'Are you still there?'" "'writers'" >"$stage/work/one.sql"
    echo "writers $schema $(as_server_user "$bindir/pgbench" -n -h "$stage/work" -U reengage_bench -c 8 -j 2 -T "$seconds" -f "$stage/work/one.sql" bench 2>/dev/null |
      sed -n 's/^tps = \([0-9.]*\).*/\1/p')"
  done
}

note_ratios() { # rows, rows of COPY
  awk -v rows="$1" -v copied="$2" '
    function is_better(way, value, so_far) { return way == "writers" ? value > so_far : value < so_far }
    { if (!(($1, $2) in best) || is_better($1, $3, best[$1, $2])) best[$1, $2] = $3; ways[$1] }
    function row(way, words, asked, ours, bare) {
      printf "what=%s\trows_per_second=%.0f\tbare_rows_per_second=%.0f\tof_bare=%.2f\n", words, ours, bare, ours / bare
    }
    END {
      if ("statement" in ways) row("statement", "a statement of " rows " rows", rows, rows / best["statement", "reengage"], rows / best["statement", "bare"])
      if ("copy" in ways) row("copy", "COPY of " copied " rows", copied, copied / best["copy", "reengage"], copied / best["copy", "bare"])
      if ("writers" in ways) row("writers", "8 writers of single rows", 0, best["writers", "reengage"], best["writers", "bare"])
    }' "$stage/asked" | while IFS= read -r line; do note insert "$line"; done
}
