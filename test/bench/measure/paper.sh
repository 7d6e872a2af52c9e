# What docs/scaling.md multiplies: a front with many partitions, and the readers of a
# node's WAL that are sent nothing of it.
#
#   PARTITIONS=1000  READERS=19  TICKS=3000

measure_paper() {
  local partitions=${PARTITIONS:-1000} readers=${READERS:-19} ticks=${TICKS:-3000}
  start_api
  start_server "wal_level = logical" "max_wal_senders = $((readers + 5))" "max_replication_slots = $((readers + 5))" "max_connections = 200"
  read_along "$readers" "$ticks"
  make_front_of "$partitions"
  look_from_front "$partitions"
}

# ---- readers --------------------------------------------------------------------------------

# Each reads all of the WAL, of which it is sent nothing: as the nodes of a mesh, while a
# node has no news.
read_along() { # readers, transactions of 20 nudges
  local n before after cpu from
  sql -c "CREATE TABLE quiet (id uuid PRIMARY KEY)" -c "CREATE PUBLICATION quiet FOR TABLE quiet WITH (publish = 'insert')"
  for ((n = 1; n <= $1; n++)); do
    sql -c "SELECT pg_create_logical_replication_slot('reader_$n', 'pgoutput')" >/dev/null
    as_server_user "$bindir/pg_recvlogical" -h "$stage/work" -U reengage_bench -d bench --slot "reader_$n" --start \
      -o proto_version=1 -o publication_names=quiet -f /dev/null -s 1 --no-loop 2>/dev/null &
  done
  wait_until has_readers "$1"
  sql -c "SELECT pid FROM pg_stat_replication" >"$stage/readers"
  cpu=$(ticks_of_readers)
  from=$(sql -c "SELECT pg_current_wal_lsn()")
  sql -c "DO \$\$ BEGIN FOR i IN 1 .. $2 LOOP
      INSERT INTO reengage.nudges (server, conversation_id, message, due_at)
      SELECT 'api', 'paper-' || i || '-' || g, 'Are you still there?', now() + interval '1 year' FROM generate_series(1, 20) g;
      COMMIT;
    END LOOP; END \$\$"
  before=$(sql -c "SELECT pg_current_wal_lsn()")
  wait_until have_read "$before" "$1"
  after=$(ticks_of_readers)
  note paper what="reading WAL, CPU ms for each MB and reader" of="$1" value="$(sql -c "SELECT round(($after - $cpu) * 1000.0 / $(getconf CLK_TCK) / $1 / (pg_wal_lsn_diff('$before', '$from') / 1048576), 1)")"
  note paper what="private memory of a reader, MB" of="$1" value="$(private_mb $(cat "$stage/readers"))"
  sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_replication" >/dev/null
  wait_until has_readers 0
  sql -c "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots" >/dev/null
}

has_readers() { [ "$(sql -c 'SELECT count(*) FROM pg_stat_replication')" = "$1" ]; }
have_read() { [ "$(sql -c "SELECT count(*) FROM pg_stat_replication WHERE sent_lsn >= '$1'")" = "$2" ]; }
ticks_of_readers() { sed 's,.*,/proc/&/stat,' "$stage/readers" | xargs cat | awk '{ sum += $14 + $15 } END { print sum }'; }

# The mean, of what a process shares with nobody.
private_mb() { # pids
  local pid
  for pid in "$@"; do cat "/proc/$pid/smaps_rollup"; done | awk -v processes=$# '/^Private_/ { sum += $2 } END { printf "%.1f", sum / processes / 1024 }'
}

# ---- a front --------------------------------------------------------------------------------

# All partitions are of one node, which is another database of the same server.
make_front_of() { # partitions
  local n
  for ((n = 1; n < $1; n++)); do
    echo "CREATE SERVER org_$n FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$api_url', auth 'none');"
  done | sql -f -
  as_server_user "$bindir/createdb" -h "$stage/work" -U reengage_bench front
  sql -c "SELECT reengage.join_fleet('a')" >/dev/null
  sql_in front -c "SET client_min_messages = warning" -c "CREATE EXTENSION reengage_front CASCADE"
  note paper what="making the partitions, s" of="$1" value="$(seconds_of_front "SELECT reengage_front.set_nodes('{\"a\": \"host=$stage/work dbname=bench user=reengage_bench\"}')")"
}

seconds_of_front() { # statement
  local began
  began=$(date +%s%N)
  sql_in front -c "$1" >/dev/null
  echo "$(($(date +%s%N) - began))" | awk '{ printf "%.2f", $1 / 1e9 }'
}

# One session, which is asked the same several times; what psql says of times is in its output.
look_from_front() { # partitions
  local one="SELECT count(*) FROM reengage.nudges WHERE server = 'org_1' AND nudge_id = '00000000-0000-0000-0000-000000000000'"
  local all="SELECT count(*) FROM reengage.nudges WHERE nudge_id = '00000000-0000-0000-0000-000000000000'"
  local insert="INSERT INTO reengage.nudges (server, conversation_id, message, due_at) SELECT"
  {
    echo "\\timing on"
    for what in "EXPLAIN $one" "EXPLAIN $one" "$one" "EXPLAIN $all" "EXPLAIN $all" "$all" "$all"; do echo "$what;"; done
    echo "$insert 'org_1', 'one-' || n, 'x', now() + interval '1 year' FROM generate_series(1, 10000) n;"
    echo "$insert 'org_' || 1 + n % $(($1 - 1)), 'many-' || n, 'x', now() + interval '1 year' FROM generate_series(1, 10000) n;"
    echo "\\! grep -h ^Private_ /proc/\$(psql -XAtq -h '$stage/work' -U reengage_bench -d bench -c \"SELECT pid FROM pg_stat_activity WHERE datname = 'front' AND backend_type = 'client backend'\")/smaps_rollup | awk '{ sum += \$2 } END { printf \"Private: %.1f\\\\n\", sum / 1024 }'"
  } >"$stage/look.sql"
  chmod 644 "$stage/look.sql"
  sql_in front -f "$stage/look.sql" | sed -n 's/^\(Time\|Private\): \([0-9.]*\).*/\2/p' >"$stage/looked"
  paste -d'\t' - "$stage/looked" <<'LABELS' | while IFS=$'\t' read -r what value; do note paper what="$what" of="$1" value="$value"; done
planning what names its server, first, ms
planning what names its server, ms
asking what names its server, ms
planning what names none, first, ms
planning what names none, ms
asking what names none, first, ms
asking what names none, ms
10,000 rows of one organisation, ms
10,000 rows of all, ms
private memory of that session, MB
LABELS
}
