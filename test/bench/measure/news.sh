# Milliseconds from the commit of an opt-out at one node of a fleet until no other sends to
# that customer: until its row is in the other's table, by which a tick is held, committed
# or not.  Both nodes are databases of one server, and one of them may be sending.  Beside
# it, what news costs suppress() in a database that is in no fleet, and in one that is.
#
#   OPT_OUTS=300 CALLS=2000

measure_news() {
  local opt_outs=${OPT_OUTS:-300}
  start_bench_simulator --default-status hash
  start_server "wal_level = logical"
  sql -c "CREATE DATABASE other"
  sql_in other -c "CREATE EXTENSION reengage"
  create_server api other
  note_news_cost "in no fleet, without triggers" "ALTER TABLE reengage.suppressions DISABLE TRIGGER tell"
  note_news_cost "in no fleet" "ALTER TABLE reengage.suppressions ENABLE TRIGGER tell"
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

# Microseconds of a call, of many in one transaction.
note_news_cost() { # what, statement before
  local us calls=${CALLS:-2000}
  us=$(sql_in other -c "SET client_min_messages = warning" -c "$2" -c "CREATE TEMP TABLE took (us numeric)" -c "DO \$\$
    DECLARE
      began timestamptz;
    BEGIN
      PERFORM reengage.suppress('warm-' || n, channel => 'open') FROM generate_series(1, 200) n;
      began := clock_timestamp();
      PERFORM reengage.suppress(md5('$1' || n), channel => 'open') FROM generate_series(1, $calls) n;
      INSERT INTO took VALUES (extract(epoch FROM clock_timestamp() - began) * 1000000 / $calls);
    END \$\$" -c "SELECT round(us, 1) FROM took")
  note news_cost what="$1" calls="$calls" us="$us"
}
