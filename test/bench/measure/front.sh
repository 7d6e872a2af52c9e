# What asking by way of a front costs, beside asking the node itself, and what a look at
# three nodes takes.  All are databases of one cluster: no network is between them.
# Nothing is due until tomorrow, so that nothing is sent meanwhile.  The best of the
# rounds counts.
#
#   ROUNDS=2  FRONT_ROWS=20000  WRITER_SECONDS=5

measure_front() {
  local round rounds=${ROUNDS:-2} rows=${FRONT_ROWS:-20000} batch
  start_api
  start_server "max_worker_processes = 16"
  make_fleet "$rows"
  for ((round = 1; round <= rounds; round++)); do
    ask_node "$rows" bench 0
    for batch in 1 100 1000; do
      sql_in front -c "ALTER SERVER bench OPTIONS (SET batch_size '$batch')"
      ask_node "$rows" front "$batch"
    done
  done >"$stage/asked"
  note_asked "$rows"
  measure_looks
  rm -f "$stage/work/nudges.copy"
}

make_fleet() { # rows
  local name
  for name in second third front; do as_server_user "$bindir/createdb" -h "$stage/work" -U reengage_bench "$name"; done
  for name in second third; do
    sql_in $name -c "CREATE EXTENSION reengage" -c "INSERT INTO reengage.address_key (key) VALUES ('$(sql -c 'SELECT key FROM reengage.address_key')')"
    create_server "api_$name" $name
    sql_in $name -c "SELECT reengage.arm()" >/dev/null
  done
  for name in bench second third; do sql_in $name -c "SELECT reengage.join_fleet('$name')" >/dev/null; done
  sql_in front -c "CREATE EXTENSION reengage_front CASCADE" -c "ALTER DATABASE front SET reengage.default_server = 'api'" \
    -c "SELECT reengage_front.set_nodes(json_object_agg(n.name, format('host=%s port=%s dbname=%s user=reengage_bench', '$stage/work', current_setting('port'), n.name))::jsonb)
        FROM unnest('{bench,second,third}'::text[]) AS n (name)" >/dev/null 2>&1
  sql -c "COPY (SELECT 'api', 'copy-' || n, 'Are you still there?', 'copy', now() + interval '1 day' FROM generate_series(1, $1) n) TO '$stage/work/nudges.copy'"
}

# In seconds.
time_of() { # database, statements
  sql -c "SET session_replication_role = replica" -c "TRUNCATE reengage.nudges, reengage.due" -c CHECKPOINT
  sql_in "$1" -c '\timing on' -c "$2" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk '{ print $1 / 1000 }'
}

ask_node() { # rows, database, batch_size
  local columns="server, conversation_id, message, campaign, due_at"
  echo "statement $2 $3 $(time_of "$2" "INSERT INTO reengage.nudges ($columns)
    SELECT 'api', 'insert-' || n, 'Are you still there?', 'insert', now() + interval '1 day' FROM generate_series(1, $1) n")"
  # of COPY into foreign partitions, batch_size counts from 16 on
  echo "copy $2 $3 $(time_of "$2" "COPY reengage.nudges ($columns) FROM '$stage/work/nudges.copy'")"
  [ "$2" = bench ] || echo "staged $2 $3 $(time_of "$2" "DO \$\$ BEGIN CREATE TEMP TABLE staged (LIKE reengage.nudges INCLUDING DEFAULTS) ON COMMIT DROP;
    COPY staged ($columns) FROM '$stage/work/nudges.copy'; INSERT INTO reengage.nudges TABLE staged; END \$\$")"
  [ "$3" = 1 ] || [ "$3" = 1000 ] || ask_one_by_one "$2" "$3"
}

pgbench_says() { # database, clients, seconds, what to print, script
  as_server_user "$bindir/pgbench" -n -h "$stage/work" -U reengage_bench -c "$2" -j 2 -T "$3" -f "$5" "$1" 2>/dev/null | sed -n "$4"
}

# Rows a second of 8 sessions, each row a transaction.
ask_one_by_one() { # database, batch_size
  [ -x "$bindir/pgbench" ] || return 0
  sql -c "SET session_replication_role = replica" -c "TRUNCATE reengage.nudges, reengage.due" -c CHECKPOINT
  printf '\\set n random(1, 1000000000)\nINSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES (%s, %s, %s, %s);\n' \
    "'api'" "'writer-' || :n" "'Are you still there?'" "now() + interval '1 day'" >"$stage/work/one.sql"
  echo "writers $1 $2 $(pgbench_says "$1" 8 "${WRITER_SECONDS:-5}" 's/^tps = \([0-9.]*\).*/\1/p' "$stage/work/one.sql")"
}

note_asked() { # rows
  awk -v rows="$1" '
    { value = $1 == "writers" ? $4 : rows / $4; if (value > best[$1, $3]) best[$1, $3] = value }
    function row(way, words, batch, beside) {
      if (best[way, batch] && best[beside, 0])
        printf "what=%s\tbatch_size=%s\trows_per_second=%.0f\tdirect_rows_per_second=%.0f\tof_direct=%.2f\n", words, batch, best[way, batch], best[beside, 0], best[way, batch] / best[beside, 0]
    }
    END {
      for (i = split("1 100 1000", batches, " "); i; i--) {
        row("statement", "a statement of " rows " rows", batches[i], "statement")
        row("copy", "COPY of " rows " rows", batches[i], "copy")
        row("staged", "COPY into a temporary table, then INSERT", batches[i], "copy")
      }
      row("writers", "8 writers of single rows", 100, "writers")
    }' "$stage/asked" | while IFS= read -r line; do note front "$line"; done
}

# Three nodes, 10,000 nudges at one of them.
measure_looks() {
  local async keep name id
  [ -x "$bindir/pgbench" ] || { skip "a look at three nodes" "pgbench is not here"; return; }
  time_of bench "INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at)
    SELECT 'api', 'look-' || n, 'Are you still there?', 'look', now() + interval '1 day' FROM generate_series(1, 10000) n" >/dev/null
  id=$(sql -c "SELECT nudge_id FROM reengage.nudges LIMIT 1")
  echo "SELECT state FROM reengage.nudge_status WHERE nudge_id = '$id';" >"$stage/work/nudge_status.sql"
  echo "SELECT * FROM reengage.campaign_status;" >"$stage/work/campaign_status.sql"
  for name in nudge_status campaign_status; do
    note front_looks what="$name, at the node itself" ms="$(look_takes bench $name)"
    for keep in on off; do
      for async in true false; do
        sql_in front -c "ALTER SERVER \"status of bench\" OPTIONS (SET keep_connections '$keep', SET async_capable '$async')" \
          -c "ALTER SERVER \"status of second\" OPTIONS (SET keep_connections '$keep', SET async_capable '$async')" \
          -c "ALTER SERVER \"status of third\" OPTIONS (SET keep_connections '$keep', SET async_capable '$async')"
        note front_looks what="$name, over three nodes" keep_connections=$keep async_capable=$async ms="$(look_takes front $name)"
      done
    done
  done
}

look_takes() { # database, which
  pgbench_says "$1" 1 "${LOOK_SECONDS:-3}" 's/^latency average = \([0-9.]*\) ms.*/\1/p' "$stage/work/$2.sql"
}
