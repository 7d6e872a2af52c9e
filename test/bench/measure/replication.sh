# Milliseconds from the commit of an outcome to its row in a subscriber, which is a
# database of the same server and writes more WAL meanwhile.
#
#   NUDGES=200

measure_replication() {
  local nudges=${NUDGES:-200} i
  start_bench_simulator --default-status hash
  start_server "wal_level = logical"
  make_subscriber
  for i in $(seq "$nudges"); do
    sql -c "INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('live-lag-$i', 'hi', 'lag')"
    wait_until all_ended
  done
  wait_until has_landed "$nudges"
  note_lag "$nudges"
  sql_in landing -c "SET client_min_messages = warning" -c "DROP SUBSCRIPTION landing"
}

# Tables as the published ones; that of lineage has one more column, as a subscriber's
# commits carry the publisher's time.
make_subscriber() {
  sql -c "SELECT reengage.publish('reengage_bi')" -c "CREATE DATABASE landing" \
    -c "SELECT pg_create_logical_replication_slot('landing', 'pgoutput')" >/dev/null
  {
    echo "CREATE SCHEMA reengage;"
    sql -c "SELECT format('CREATE TABLE %s (%s);', a.attrelid::regclass, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '))
      FROM pg_publication_tables t JOIN pg_attribute a ON a.attrelid = format('%I.%I', t.schemaname, t.tablename)::regclass
      WHERE t.pubname = 'reengage_bi' AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid"
    echo "ALTER TABLE reengage.lineage ADD landed_at timestamptz DEFAULT clock_timestamp();"
    echo "CREATE SUBSCRIPTION landing CONNECTION 'host=$stage/work user=reengage_bench dbname=bench' PUBLICATION reengage_bi
      WITH (create_slot = false, slot_name = 'landing', copy_data = false);"
  } | sql_in landing -f -
}

has_landed() { [ "$(sql_in landing -c "SELECT count(*) FROM reengage.lineage WHERE campaign = 'lag'")" = "$1" ]; }

note_lag() { # nudges
  local median worst
  sql -c "COPY (SELECT lineage_id, pg_xact_commit_timestamp(xmin) FROM reengage.lineage WHERE campaign = 'lag') TO STDOUT" >"$stage/work/commits"
  chmod 644 "$stage/work/commits"
  sql_in landing -c "CREATE TABLE commits (lineage_id uuid, committed_at timestamptz)" -c "\\copy commits from '$stage/work/commits'"
  IFS='|' read -r median worst < <(sql_in landing -c "SELECT
      round((percentile_cont(0.5) WITHIN GROUP (ORDER BY ms))::numeric, 2), round((percentile_cont(0.99) WITHIN GROUP (ORDER BY ms))::numeric, 2)
    FROM (SELECT extract(epoch FROM l.landed_at - c.committed_at) * 1000 AS ms FROM reengage.lineage l JOIN commits c USING (lineage_id)) lag")
  note replication nudges="$1" p50_ms="$median" p99_ms="$worst"
}
