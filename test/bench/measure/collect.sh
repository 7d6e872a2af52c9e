# What it costs a subscriber to take the rows of several nodes, beside one that takes those
# of one: the same rows, from one publisher, in transactions of 20 rows as a worker writes
# them.  Both are databases of the publisher's server, and take turns; it is the processor
# time of who applies that is theirs alone, as the rate has the publisher's part in it.
#
#   ROWS=40000  ROUNDS=3 (of which the median counts; the tables grow meanwhile)

measure_collect() {
  local rows=${ROWS:-40000} rounds=${ROUNDS:-3} round kind
  start_api
  start_server "wal_level = logical"
  sql -c "SELECT reengage.disarm()" -c "SELECT reengage.publish('reengage_bi')" >/dev/null
  make_collector plain ""
  make_collector several "several_nodes => true"
  for ((round = 1; round <= rounds; round++)); do
    write_lineage "$rows" "$round"
    # in another order each round
    for kind in $([ $((round % 2)) = 1 ] && echo plain several || echo several plain); do
      take_rows "$kind" "$round" "$rows" >>"$stage/taken.$kind"
    done
  done
  for kind in plain several; do
    note collect what="$([ $kind = plain ] && echo "of one node" || echo "of several nodes")" rows="$rows" \
      rows_per_second="$(median_of 1 "$stage/taken.$kind")" cpu_us_a_row="$(median_of 2 "$stage/taken.$kind")"
    sql_in $kind -c "SET client_min_messages = warning" -c "DROP SUBSCRIPTION $kind"
  done
}

make_collector() { # name, arguments of subscriber_ddl()
  sql -c "CREATE DATABASE $1" -c "SELECT pg_create_logical_replication_slot('$1', 'pgoutput')" >/dev/null
  sql -c "SELECT reengage.subscriber_ddl($2)" | sql_in "$1" -f -
  sql_in "$1" -c "CREATE SUBSCRIPTION $1 CONNECTION 'host=$stage/work user=reengage_bench dbname=bench' PUBLICATION reengage_bi
    WITH (create_slot = false, slot_name = '$1', copy_data = false, enabled = false)"
}

# With every column filled that an outcome fills.
write_lineage() { # rows, round
  sql -c "SET client_min_messages = warning" -c "DROP TABLE IF EXISTS made" -c "CREATE TABLE made (LIKE reengage.lineage, PRIMARY KEY (lineage_id))" -c "
    INSERT INTO made (lineage_id, nudge_id, server, outcome, step, requested_conversation_id, conversation_id, previous_conversation_id,
      root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls, api_calls_saved, http_status,
      correlation_id, message_id, requested_at, due_at, checked_at, called_at, occurred_at, recorded_at, schema_version, xact_id, detail)
    SELECT $(id_of "$2" n), gen_random_uuid(), 'bench', 'session_created', 'create', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
      gen_random_uuid(), 1, 'closed', 'sms', md5(n::text), 'campaign ' || n % 50, 1, 2, 0, 201, gen_random_uuid(), gen_random_uuid(),
      at, at, at, at, at, at, 1, 1, jsonb_build_object('customer', n, 'segment', 'gold', 'score', n / 7.0)
    FROM generate_series(1, $1) n, (SELECT now()) d (at)"
  sql -c "SET session_replication_role = replica" -c "DO \$\$ BEGIN FOR i IN 0 .. $1 / 20 - 1 LOOP
      INSERT INTO reengage.lineage SELECT * FROM made m WHERE m.lineage_id BETWEEN $(id_of "$2" "i * 20 + 1") AND $(id_of "$2" "i * 20 + 20");
      COMMIT;
    END LOOP; END \$\$"
}
id_of() { echo "('0170000$1-0000-7000-8000-' || lpad(($2)::text, 12, '0'))::uuid"; } # round, number

# "rows a second, processor microseconds of who applies for a row"
take_rows() { # name, round, rows
  local began pid ticks
  began=$(date +%s%N)
  sql_in "$1" -c "ALTER SUBSCRIPTION $1 ENABLE"
  wait_until has_taken "$1" "$2" "$3"
  began=$(($(date +%s%N) - began))
  pid=$(sql -c "SELECT pid FROM pg_stat_subscription WHERE subname = '$1' AND relid IS NULL")
  ticks=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
  sql_in "$1" -c "ALTER SUBSCRIPTION $1 DISABLE"
  wait_until has_rested "$1"
  awk -v ns="$began" -v rows="$3" -v ticks="$ticks" -v hertz="$(getconf CLK_TCK)" 'BEGIN { printf "%.0f %.0f\n", rows / ns * 1e9, ticks / hertz * 1e6 / rows }'
}
has_taken() { [ "$(sql_in "$1" -c "SELECT count(*) FROM reengage.lineage WHERE lineage_id = $(id_of "$2" "$3")")" = 1 ]; }
has_rested() { [ "$(sql -c "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$1' AND active")" = 0 ]; }

median_of() { # column, file
  cut -d' ' -f"$1" "$2" | sort -n | sed -n "$((($(wc -l <"$2") + 1) / 2))p"
}
