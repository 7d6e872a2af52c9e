# Milliseconds from the commit of an opt-out at one node of a fleet until no other sends to
# that customer: until its row is in the other's table, by which a tick is held, committed
# or not.  Both nodes are databases of one server, and one of them may be sending.  Beside
# it, what news costs suppress(), record_answer() and asking in a database that is in no
# fleet, and in one that is.
#
#   OPT_OUTS=300 CALLS=2000

measure_news() {
  local opt_outs=${OPT_OUTS:-300}
  start_bench_simulator --default-status hash
  start_server "wal_level = logical"
  sql -c "CREATE DATABASE other"
  sql_in other -c "CREATE EXTENSION reengage"
  create_server api other
  note_news_cost "in no fleet, without triggers" "ALTER TABLE reengage.suppressions DISABLE TRIGGER tell; ALTER TABLE reengage.answers DISABLE TRIGGER tell"
  note_news_cost "in no fleet" "ALTER TABLE reengage.suppressions ENABLE TRIGGER tell; ALTER TABLE reengage.answers ENABLE TRIGGER tell"
  wire_nodes
  note_news_cost "in a fleet" "SELECT"
  note_news_lag idle "$opt_outs"
  # both busy: the node that is to hear sends as fast as it can
  sql -c "INSERT INTO reengage.nudges (conversation_id, message, campaign)
    SELECT 'load-' || n, 'Are you still there?', 'load' FROM generate_series(1, 30000) n"
  note_news_lag "while nudges are sent" "$opt_outs"
  [ "$(sql -c 'SELECT EXISTS (SELECT FROM reengage.due)')" = t ] || say "the nudges did not last for the measurement"
  unwire_nodes
}

# The opt-outs are said in the other database, and heard where the worker is.
wire_nodes() {
  local slot
  sql -c "SELECT reengage.join_fleet('one')" >/dev/null
  sql_in other -c "SELECT reengage.join_fleet('other')" -c "SELECT reengage.publish_news()" >/dev/null
  slot=$(sql_in other -c "SELECT reengage.make_news_slot('one')")
  sql -c "SELECT reengage.news_ddl('other', 'host=$stage/work user=reengage_bench dbname=other', '$slot')" | sed 's/$/;/' | sql -f -
  wait_until is_heard
}
is_heard() { [ "$(sql -c "SELECT state FROM reengage.news_state WHERE node = 'other'")" = ok ]; }
unwire_nodes() {
  sql -c "SELECT reengage.news_ddl('other', NULL)" | sed 's/$/;/' | sql -f -
  wait_until is_free
  sql_in other -c "SELECT reengage.drop_news_slot('one')" >/dev/null
}
is_free() { [ "$(sql -c "SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE active)")" = t ]; }

# One after the other, each in a transaction of its own.
note_news_lag() { # what, opt-outs
  local median worst
  wait_until have_heard_all
  for i in $(seq "$2"); do printf "SELECT reengage.suppress('lag-%s-%s', channel => 'open');\n" "${1// /-}" "$i"; done |
    sql_in other -c "SET client_min_messages = warning" -f - >/dev/null
  wait_until have_heard_all
  # the commit here carries the time of the one there
  IFS='|' read -r median worst < <(sql -c "SELECT
      round((percentile_cont(0.5) WITHIN GROUP (ORDER BY ms))::numeric, 2), round((percentile_cont(0.99) WITHIN GROUP (ORDER BY ms))::numeric, 2)
    FROM (SELECT extract(epoch FROM n.heard_at - pg_xact_commit_timestamp(n.xmin)) * 1000 AS ms
          FROM reengage.news n WHERE n.node = 'other' AND n.kind = 'opted_out' ORDER BY n.news_id DESC LIMIT $2) lag")
  note news what="$1" opt_outs="$2" p50_ms="$median" p99_ms="$worst"
}
have_heard_all() { [ "$(sql -c "SELECT count(*) FROM reengage.suppressions")" = "$(sql_in other -c "SELECT count(*) FROM reengage.suppressions")" ]; }

# Microseconds and bytes of WAL of a call, of many in one transaction: of what a fleet tells
# its nodes, and of asking, which it does not.
note_news_cost() { # what, statement before
  local call us wal calls=${CALLS:-2000}
  sql_in other -c "$2" -c CHECKPOINT
  while IFS='|' read -r call us wal; do
    note news_cost what="$call, $1" calls="$calls" us="$us" wal_bytes="$wal"
  done < <(sql_in other -c "SET client_min_messages = warning" -c "CREATE TEMP TABLE took (call text, us numeric, wal numeric)" \
    -c "$(cost_of "suppress()" "reengage.suppress(md5('$1' || n), channel => 'open')" "$calls")" \
    -c "$(cost_of "record_answer()" "reengage.record_answer(address => md5('$1' || n), channel => 'open')" "$calls")" \
    -c "$(cost_of "a nudge" "reengage.nudge(md5('$1' || n), 'Are you still there?', server => 'api', due_at => now() + interval '1 day')" "$calls")" \
    -c "SELECT call, round(us, 1), round(wal) FROM took")
}

# Pages that are written for the first time since a checkpoint are counted in neither:
# some calls come before.
cost_of() { # what, call with n, number
  echo "DO \$\$
    DECLARE
      began timestamptz;
      wal_then pg_lsn;
    BEGIN
      PERFORM $2 FROM generate_series(-200, -1) n;
      wal_then := pg_current_wal_insert_lsn();
      began := clock_timestamp();
      PERFORM $2 FROM generate_series(1, $3) n;
      INSERT INTO took VALUES ('$1', extract(epoch FROM clock_timestamp() - began) * 1000000 / $3, (pg_current_wal_insert_lsn() - wal_then) / $3);
    END \$\$"
}
