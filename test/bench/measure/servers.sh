# Whether many servers cost more than one, and whether two databases, each with a
# worker of its own, send more than one.
#
#   ROUNDS=3  SERVER_NUDGES=20000

measure_servers() {
  local round rounds=${ROUNDS:-3} nudges=${SERVER_NUDGES:-20000}
  start_api
  # the second is made when the server runs
  start_server "reengage.databases = 'bench, second'" "max_worker_processes = 16"
  prepare_servers
  for ((round = 1; round <= rounds; round++)); do
    reset_api 20
    share_among "$round" "1 server, 100 in flight" "$nudges" one
    reset_api 20
    share_among "$round" "100 servers, 1 in flight each" "$nudges" hundred
    reset_api 0
    in_databases "$round" "1 database" "$nudges" bench
    reset_api 0
    in_databases "$round" "2 databases, half in each" "$nudges" bench second
  done
}

prepare_servers() {
  local n
  create_server one
  sql -c "ALTER SERVER one OPTIONS (SET max_in_flight '100')"
  for n in $(seq 0 99); do
    echo "CREATE SERVER hundred_$n FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$api_url', auth 'none', max_requests_per_minute '0', max_in_flight '1');"
  done | sql -f -
  as_server_user "$bindir/createdb" -h "$stage/work" -U reengage_bench second
  sql_in second -c "CREATE EXTENSION reengage"
  create_server api second
  sql_in second -c "SELECT reengage.arm()" >/dev/null
  wait_for_worker second
}

# All are due a little later, so that inserting is over by then.
share_among() { # round, what it is, nudges, server or its kind
  local name="'$4'" worker processes watched
  [ "$4" = one ] || name="'hundred_' || n % 100"
  sql -c "INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at)
    SELECT $name, 'servers-$1-$4-' || n, 'Are you still there?', 'servers', clock_timestamp() + interval '5 s' FROM generate_series(1, $3) n"
  worker=$(worker_state pid)
  processes=(worker="$worker" courier="$(courier_of "$worker")")
  start_watching
  wait_for_effects "$3"
  wait_until all_ended
  stop_watching
  note_shared "$1" "$2" "$3"
}

in_databases() { # round, what it is, nudges, databases...
  local round=$1 what=$2 nudges=$3 database worker processes=() watched
  shift 3
  for database in "$@"; do
    sql_in "$database" -c "INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at)
      SELECT 'api', 'databases-$round-$#-' || n, 'Are you still there?', 'databases', clock_timestamp() + interval '5 s' FROM generate_series(1, $nudges / $#) n"
    worker=$(worker_state pid "$database")
    processes+=("worker_$database=$worker" "courier_$database=$(courier_of "$worker")")
  done
  start_watching
  wait_for_effects $((nudges / $# * $#))
  for database in "$@"; do wait_until ended_in "$database"; done
  stop_watching
  note_shared "$round" "$what" "$nudges"
}

ended_in() { [ "$(sql_in "$1" -c 'SELECT NOT EXISTS (SELECT FROM reengage.due)')" = t ]; }

# The clock is the API's: from its first request to its last answer.
note_shared() { # round, what it is, nudges
  local us cpu
  us=$(($(api_count last_us) - $(api_count first_us)))
  cpu=$(tr '\t' '\n' <<<"$watched" | awk -F= -v nudges="$3" '/^cpu_/ && !/^cpu_api/ { sum += $2 } END { printf "%.0f", sum / nudges }')
  note servers what="$2" round="$1" nudges="$3" rate=$(($3 * 1000000 / us)) cpu_us="$cpu"
}
