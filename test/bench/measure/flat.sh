# Whether somebody's long transaction makes it slower.  Nudges are asked for as fast
# as they are sent: for a while alone, beside a snapshot that is held all the time,
# and alone again, as a control.
#
#   SECONDS=300 (of the snapshot, and half of it before and after)

measure_flat() {
  local seconds=$seconds_given feeder
  [ "$seconds" != 0 ] || seconds=300
  # 3 kB for a nudge and its lineage; beside them the WAL
  require_room 5000 "flat"
  seconds=$(as_many_as_fit "$seconds" 60000000 "seconds")
  start_api
  start_server "checkpoint_timeout = 5min" "max_wal_size = 2GB"
  reset_api 0
  rm -f "$stage/stop"
  feed &
  feeder=$!
  watch_snapshot "$seconds"
  : >"$stage/stop"
  wait $feeder || fail "asking failed: what it wrote tells why"
}

ask_for() { # first number, nudges
  sql -c "INSERT INTO reengage.nudges (conversation_id, message, campaign)
    SELECT 'flat-' || n, 'Are you still there?', 'flat' FROM generate_series($1, $1 + $2 - 1) n"
}

# Keeps 5,000 to 15,000 nudges due.
feed() {
  local asked=0
  until [ -e "$stage/stop" ]; do
    ask_for $asked 10000
    asked=$((asked + 10000))
    wait_for_effects $((asked - 5000)) || return 0
  done
}

# The control is what ran before and after.
watch_snapshot() { # seconds
  local rate alone beside
  watch_period warming $(($1 < 60 ? $1 / 3 + 1 : 20))
  watch_period alone $((($1 + 1) / 2))
  alone=$rate
  sql -c "BEGIN ISOLATION LEVEL REPEATABLE READ" -c "SELECT FROM reengage.nudges LIMIT 1" -c "SELECT pg_sleep($1 + 1)" >/dev/null &
  watch_period "beside a held snapshot" "$1"
  beside=$rate
  wait $!
  watch_period "alone again" $((($1 + 1) / 2))
  note snapshot seconds="$1" of_the_rate_without="$(awk -v alone="$alone" -v again="$rate" -v beside="$beside" 'BEGIN { printf "%.3f", 2 * beside / (alone + again) }')"
}

sent_so_far() { echo $(($(api_count notified) + $(api_count created))); }

# Sets $rate.
watch_period() { # what it is, seconds
  local before began after
  before=$(sent_so_far)
  began=$EPOCHREALTIME
  sleep "$2"
  after=$(sent_so_far)
  rate=$(awk -v sent=$((after - before)) -v began="$began" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.0f", sent / (now - began) }')
  [ "$1" = warming ] || note "${kind:-flat}" what="$1" seconds="$2" rate="$rate" $(sizes_now)
}

# Of the processes and of what should not grow.
sizes_now() {
  local worker
  worker=$(worker_state pid)
  echo "worker_mb=$(private_mb_of "$worker") courier_mb=$(private_mb_of "$(courier_of "$worker")")"
  sql -c "SELECT format('due_mb=%s intents_mb=%s', round(pg_total_relation_size('reengage.due') / 1048576.0, 1), round(pg_total_relation_size('reengage.intents') / 1048576.0, 1))"
}

private_mb_of() { awk '/^RssAnon/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; } # process id
