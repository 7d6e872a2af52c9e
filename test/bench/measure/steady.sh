# Whether it stays as fast and as small as it was, by so many nudges a second, looked
# at twelve times.  What it watches with is flat.sh's.
#
#   RATE=1000  SECONDS=3600

measure_steady() {
  local seconds=$seconds_given rate_given=${RATE:-1000} feeder kind=steady
  [ "$seconds" != 0 ] || seconds=3600
  # 3 kB for a nudge and its lineage; beside them the WAL
  require_room 5000 "steady"
  seconds=$(as_many_as_fit "$seconds" $((3000 * rate_given)) "seconds")
  start_api
  start_server "checkpoint_timeout = 5min" "max_wal_size = 2GB"
  reset_api 0
  rm -f "$stage/stop"
  feed_steadily "$rate_given" &
  feeder=$!
  watch_steady "$seconds"
  : >"$stage/stop"
  wait $feeder || fail "asking failed: what it wrote tells why"
}

feed_steadily() { # nudges a second
  local asked=0 began=$EPOCHREALTIME
  until [ -e "$stage/stop" ]; do
    ask_for $asked "$1"
    asked=$((asked + $1))
    sleep "$(awk -v began="$began" -v now="$EPOCHREALTIME" -v at="$((asked / $1))" 'BEGIN { wait = began + at - now; print (wait > 0 ? wait : 0) }')"
  done
}

watch_steady() { # seconds
  local n rate
  for n in $(seq 12); do watch_period "part $n of 12" $(($1 / 12)); done
}
