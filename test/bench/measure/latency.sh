# How soon a lone nudge leaves: from the commit of its INSERT, and from its due_at.
#
#   NUDGES=200

measure_latency() {
  local nudges=${NUDGES:-200} i
  start_bench_simulator
  start_server
  for i in $(seq "$nudges"); do
    sql -c "INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('live-latency-$i', 'hi', 'commit')"
    wait_until all_ended
  done
  # one after another, and each alone
  sql -c "INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
    SELECT 'live-timer-' || n, 'hi', 'timer', now() + interval '1 s' + n * interval '20 ms' FROM generate_series(1, $nudges) n"
  wait_until all_ended
  read_latencies
}

read_latencies() {
  local what median worst count
  simulate GET requests.csv >"$stage/work/requests.csv"
  chmod 644 "$stage/work/requests.csv"
  sql -c "CREATE TEMP TABLE csv (line text)" -c "\\copy csv from '$stage/work/requests.csv' with (format text, delimiter E'\\x01')" \
    -f "$bench/measure/latency.sql" |
    while IFS='|' read -r what count median worst; do
      note latency what="$what" nudges="$count" p50_ms="$median" p99_ms="$worst"
    done
}
