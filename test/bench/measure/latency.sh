# How soon a lone nudge leaves: from the commit of its INSERT, and from its due_at.
#
#   NUDGES=200

measure_latency() {
  local nudges=${NUDGES:-200}
  start_bench_simulator
  start_server
  sql -v nudges="$nudges" -f "$bench/measure/latency_asking.sql"
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
