# A year in an hour: N nudges and twice as many rows of lineage, of which the worker
# lets go of the older half beside inserts and sends.  In the middle a newer package is
# installed and the server restarted.  Then prune() lets go of more by itself, and what
# is left is dumped, restored and armed: nobody is written to twice.
#
#   N=10000000  RATE=500 (nudges a second)  SECONDS=3600 (a sixth of it without retention)

measure_year() {
  local n seconds=$seconds_given rate_given=${RATE:-500} feeder
  can_be_staged || fail "this PostgreSQL finds extensions only where they are installed: a newer one is not installed for everybody"
  [ "$seconds" != 0 ] || seconds=3600
  require_room 6000 "year"
  # 1.2 kB with two rows of lineage, sorting for indexes, and what is left a second time
  n=$(as_many_as_fit "${N:-10000000}" 3000 "nudges")
  start_api
  start_server "maintenance_work_mem = 512MB" "max_wal_size = 2GB" "checkpoint_timeout = 5min"
  sql -c "SELECT reengage.disarm()" \
    -c "CREATE FUNCTION mb(text) RETURNS bigint LANGUAGE sql AS 'SELECT pg_total_relation_size((''reengage.'' || \$1)::regclass) / 1048576'" >/dev/null
  say "making a year of $n nudges"
  sql -v n="$n" -f "$bench/measure/year.sql" >/dev/null 2>"$stage/year.log" || { tail -3 "$stage/year.log" >&2; fail "there is no year"; }
  sql -c "SELECT reengage.arm()" >/dev/null
  wait_for_worker
  reset_api 0
  start_asking
  watch_year "$seconds"
  stop_asking
  wait_until all_ended
  prune_alone
  restore_year
}

start_asking() {
  rm -f "$stage/stop"
  feed_steadily "$rate_given" &
  feeder=$!
}

stop_asking() {
  : >"$stage/stop"
  wait "$feeder" || fail "asking failed: what it wrote tells why"
}

watch_year() { # seconds
  local part
  watch_part "no retention" $(($1 / 6))
  sql -c "ALTER SYSTEM SET reengage.retention = '183d'" -c "SELECT pg_reload_conf()" >/dev/null
  for part in $(seq 5); do watch_part "retention, part $part of 10" $(($1 / 12)); done
  upgrade_year
  # as autovacuum does when a fifth of a table has gone, which some runs are too short for
  sql -c "VACUUM reengage.nudges" -c "VACUUM reengage.lineage"
  for part in $(seq 6 10); do watch_part "vacuumed, part $part of 10" $(($1 / 12)); done
  sql -c "ALTER SYSTEM RESET reengage.retention" -c "SELECT pg_reload_conf()" >/dev/null
}

watch_part() { # what it is, seconds
  local before began pruned wal after
  before=$(sent_so_far)
  began=$EPOCHREALTIME
  IFS='|' read -r pruned wal < <(pruned_and_wal)
  longest_tick "$2" >"$stage/longest_tick"
  after=$(sent_so_far)
  note year what="$1" "$(awk -v sent=$((after - before)) -v began="$began" -v now="$EPOCHREALTIME" -v pruned="$pruned" -v wal="$wal" -v at="$(pruned_and_wal)" 'BEGIN {
    split(at, later, "|"); took = now - began
    printf "seconds=%.0f\trate=%.0f\tpruned_rows_per_second=%.0f\twal_mb_per_second=%.1f", took, sent / took, (later[1] - pruned) / took, (later[2] - wal) / took / 1048576 }')" \
    longest_tick_ms="$(cat "$stage/longest_tick")" metrics_ms="$(look "SELECT * FROM reengage.metrics;" | sed 's/^ms=//; s/\t.*//')" \
    "$(year_sizes)"
}

# The package of a next version, which has a column and an index more, comes beside what
# runs; the restart interrupts calls, and what is asked for meanwhile has its turn after.
upgrade_year() {
  local began=$EPOCHREALTIME before
  make_next_version
  note year_upgrade what="a newer package is built and installed beside sends" "$(took_since "$began")"
  before=$(sent_so_far)
  wait_until sent_more_than "$before"
  began=$EPOCHREALTIME
  stop_asking
  ask_for 0 5000
  as_server_user "$bindir/pg_ctl" -D "$stage/work/data" -l "$stage/work/server.log" -w -m fast restart >/dev/null
  note year_upgrade what="restart, with 5,000 due" "$(took_since "$began")"
  began=$EPOCHREALTIME
  sql -c "ALTER EXTENSION reengage UPDATE" 2>/dev/null
  note year_upgrade what="ALTER EXTENSION reengage UPDATE" "$(took_since "$began")"
  began=$EPOCHREALTIME
  wait_for_worker
  wait_until all_ended
  note year_upgrade what="until all that was due has ended" "$(took_since "$began")"
  [ "$(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'reengage'")" = 99.0 ] || fail "the extension was not updated"
  start_asking
}

make_next_version() {
  local version parts=$stage/next/src/sql
  version=$(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'reengage'")
  copy_tree "$stage/next"
  perl -pi -e "s/^default_version = .*/default_version = '99.0'/" "$stage/next/reengage.control"
  mkdir "$parts/$version--99.0"
  tee "$parts/60_next.sql" >"$parts/$version--99.0/60_next.sql" <<<"ALTER TABLE reengage.nudges ADD COLUMN next integer NOT NULL DEFAULT 0;
CREATE INDEX ON reengage.pruned_days (row_count);"
  make -s -j2 -C "$stage/next" >&2
  make -s -C "$stage/next" install DESTDIR="$stage/root" >/dev/null
  rm -rf "$stage/next"
}

sent_more_than() { [ "$(sent_so_far)" -gt "$1" ]; } # number
took_since() { awk -v began="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "seconds=%.1f", now - began }'; }

# Rows of lineage and nudges that are gone, and bytes of WAL that were written.
pruned_and_wal() {
  sql -c "SELECT (SELECT coalesce(sum(row_count + nudges), 0) FROM reengage.pruned_days), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
}

# The worker's longest transaction, of those seen by whoever looks each ten milliseconds,
# and holds no snapshot meanwhile.
longest_tick() { # seconds
  sql -c "DO \$\$
    DECLARE
      until timestamptz := clock_timestamp() + interval '$1 s';
      worker int := (SELECT pid FROM reengage_internal.worker_state());
      most double precision := 0;
    BEGIN
      WHILE clock_timestamp() < until LOOP
        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
        most := greatest(most, (SELECT extract(epoch FROM clock_timestamp() - a.xact_start) FROM pg_stat_get_activity(worker) a));
        COMMIT;
      END LOOP;
      RAISE NOTICE 'longest %', round((most * 1000)::numeric);
    END \$\$" 2>&1 | sed -n 's/.*longest //p'
}

year_sizes() {
  sql -F $'\t' -c "SELECT 'nudges_mb=' || mb('nudges'), 'lineage_mb=' || mb('lineage'), 'left_mb=' || mb('pruned_nudges') + mb('past_sessions')"
}

# As fast as it goes, while nothing is sent.
prune_alone() {
  local began=$EPOCHREALTIME wal pruned later
  IFS='|' read -r pruned wal < <(pruned_and_wal)
  sql -c "CALL reengage.prune(keep => '100 days')" >/dev/null 2>&1
  later=$(pruned_and_wal)
  note year_after "$(awk -v began="$began" -v now="$EPOCHREALTIME" -v pruned="$pruned" -v wal="$wal" -v at="$later" 'BEGIN {
    split(at, later, "|"); took = now - began; rows = later[1] - pruned
    printf "what=prune() alone\trows=%d\tseconds=%.1f\trows_per_second=%.0f\twal_bytes_per_row=%.0f", rows, took, rows / took, rows ? (later[2] - wal) / rows : 0 }')"
}

# What is left, in another database; there all is asked for again, by the ids that the
# year had, and by those that are due.
restore_year() {
  local began=$EPOCHREALTIME before asked sent
  sql -c "CREATE DATABASE restored"
  as_server_user "$bindir/pg_dump" -h "$stage/work" -U reengage_bench bench | sql_in restored >/dev/null
  note year_after what="dump and restore" rows="$(sql_in restored -c "SELECT (SELECT count(*) FROM reengage.nudges) + (SELECT count(*) FROM reengage.lineage)")" \
    "$(took_since "$began")"
  sql -c "SELECT reengage.disarm()" -c "ALTER SYSTEM SET reengage.databases = 'restored'" -c "SELECT pg_reload_conf()" >/dev/null
  before=$(sent_so_far)
  began=$EPOCHREALTIME
  sql_in restored -c "SELECT reengage.arm()" >/dev/null
  note year_after what="arm() of what was restored" "$(took_since "$began")"
  wait_for_worker restored
  sql_in restored -c "INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message)
    SELECT p.nudge_id, 'api', 'again-' || p.nudge_id, 'x' FROM (SELECT nudge_id FROM reengage.pruned_nudges LIMIT 100000) p ON CONFLICT DO NOTHING" \
    -c "INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('api', 'last', 'x')"
  wait_until restored_is_done
  asked=$(sql_in restored -c "SELECT count(*) FROM reengage.lineage WHERE campaign = 'flat' AND outcome IN ('notified', 'session_created')")
  sent=$(sent_so_far)
  note year_after what="messages, with one from the restored" rows="$((asked + 1))" seen_by_the_api="$sent" second_messages="$((sent - asked - 1))"
  [ "$sent" = $((before + 1)) ] || fail "$((sent - before - 1)) messages left from the restored database that had left before"
  [ "$sent" = $((asked + 1)) ] || fail "$asked nudges were sent, and the API has seen $sent messages"
}

restored_is_done() { [ "$(sql_in restored -c "SELECT NOT EXISTS (SELECT FROM reengage.due)")" = t ]; }
