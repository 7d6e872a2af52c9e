# Sourced by test/bench/run: a server of its own for each measurement, the APIs,
# and what is written down.  A measurement is a function measure_NAME of a file in
# measure/; what it finds it says to note().

bench=$top/test/bench

say() { printf 'bench: %4d s: %s\n' "$SECONDS" "$*" >&2; }

# What cannot be measured here, and why.
skip() { # what, why
  say "$1 is skipped: $2"
  note skipped what="$1" why="$2"
}

# A line of what was found: a kind, then KEY=VALUE.
note() { # kind, values...
  local IFS=$'\t'
  echo "$*" >>"$findings"
}

sql() { sql_in bench "$@"; }
sql_in() { # database, options of psql
  as_server_user "$bindir/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$stage/work" -U reengage_bench -d "$@"
}

# ---- room ----------------------------------------------------------------------------

room_in_mb() { df -Pm "${TMPDIR:-/tmp}" | awk 'NR == 2 { print $4 }'; }

# Ends where a measurement that cannot be smaller has no room.
require_room() { # MB, for what
  [ "$(room_in_mb)" -ge "$1" ] || fail "$2 needs $1 MB below ${TMPDIR:-/tmp}, and there are $(room_in_mb): set TMPDIR to a folder with more"
}

# As many as wanted, or as there is room for, which it says.
as_many_as_fit() { # number, bytes for each, what they are
  local fit=$(($(room_in_mb) * 1048576 / 10 * 8 / $2))
  if [ "$1" -gt "$fit" ]; then
    say "there is room for $fit $3 only, not for $1: set TMPDIR to a folder with more"
    note smaller what="$3" wanted="$1" taken="$fit"
    echo "$fit"
  else
    echo "$1"
  fi
}

# ---- a server -------------------------------------------------------------------------

# A new one, with the API that $api_url names as server "api" of the database bench.
start_server() { # further settings...
  rm -rf "$stage/work/data"
  as_server_user "$bindir/initdb" -D "$stage/work/data" -U reengage_bench -A trust --locale=C --encoding=UTF8 --no-instructions >/dev/null
  {
    stage_settings
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$stage/work'"
    echo "shared_preload_libraries = 'reengage'"
    echo "reengage.databases = 'bench'"
    echo "track_commit_timestamp = on"
    echo "shared_buffers = 512MB"
    # no checkpoint but ours, so that all are measured in the same state
    echo "checkpoint_timeout = 1h"
    echo "max_wal_size = 8GB"
    [ $# = 0 ] || printf '%s\n' "$@"
  } | as_server_user tee -a "$stage/work/data/postgresql.conf" >/dev/null
  start_postgres
  as_server_user "$bindir/createdb" -h "$stage/work" -U reengage_bench bench
  sql -c "CREATE EXTENSION reengage" -c "ALTER DATABASE bench SET reengage.default_server = 'api'"
  create_server api
  sql -c "SELECT reengage.arm()" >/dev/null
  wait_for_worker
}

# Until it can send, or says why it does not.
wait_for_worker() { # database
  local until=$((SECONDS + 30))
  while [ "$SECONDS" -lt $until ]; do
    ! worker_can_send "$@" || return 0
    sleep 0.05
  done
  fail "the worker does not send: $(sql_in "${1:-bench}" -F ': ' -c "SELECT subject, detail FROM reengage.health WHERE state NOT IN ('ok', 'running')" | head -1)"
}

start_postgres() {
  as_server_user "$bindir/pg_ctl" -D "$stage/work/data" -l "$stage/work/server.log" -w start >/dev/null ||
    { tail -5 "$stage/work/server.log" >&2; fail "PostgreSQL did not start"; }
}

# After a measurement, however it ended.
end_what_runs() {
  trap - EXIT
  kill $(jobs -p) 2>/dev/null || true
  end_process QUIT "$stage/work/data/postmaster.pid"
  end_process TERM "$stage/work/simulator.pid"
  wait 2>/dev/null || true
  rm -rf "$stage/work/data"
}

create_server() { # name, database
  sql_in "${2:-bench}" -c "CREATE SERVER $1 FOREIGN DATA WRAPPER reengage
    OPTIONS (api_url '$api_url', auth 'none', max_requests_per_minute '0', timeout '60s', max_in_flight '64')"
}

worker_state() { sql_in "${2:-bench}" -c "SELECT $1 FROM reengage_internal.worker_state()"; }
worker_can_send() { [ "$(worker_state state "$@")" = running ] && [ -n "$(courier_of "$(worker_state pid "$@")")" ]; }
all_ended() { [ "$(sql -c 'SELECT NOT EXISTS (SELECT FROM reengage.due)')" = t ]; }

# ---- APIs ------------------------------------------------------------------------------

# The fast one, that the contest is held at.  PORT is for who must have a certain one.
start_api() {
  rm -f "$stage/api.port"
  "$stage/api" "$stage/api.port" ${PORT:+"$PORT"} 2>"$stage/api.log" &
  api_pid=$!
  until [ -s "$stage/api.port" ]; do
    kill -0 $api_pid 2>/dev/null || fail "the API did not start: $(cat "$stage/api.log")"
    sleep 0.05
  done
  api_url=http://127.0.0.1:$(cat "$stage/api.port")
}

ask_url() { # method, url, body
  perl -MHTTP::Tiny -e 'my ($method, $url, $body) = @ARGV;
    my $reply = HTTP::Tiny->new->request($method, $url, defined $body ? {content => $body} : {});
    die "$url: $reply->{status} $reply->{content}\n" unless $reply->{success};
    print $reply->{content}' "$@"
}

reset_api() { ask_url POST "$api_url/_bench/reset/$1" >/dev/null; } # milliseconds of latency
api_count() { ask_url GET "$api_url/_bench/counts" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; } # name

# Until so many messages have had their effect, or none has for a minute.  By one
# process, which sleeps: the machine is for those who are measured.
wait_for_effects() { # number
  perl -MHTTP::Tiny -e 'my ($url, $number) = @ARGV;
    my $client = HTTP::Tiny->new(keep_alive => 1);
    my ($most, $at) = (-1, time);
    while (1) {
      my $reply = $client->get("$url/_bench/counts");
      die "the API does not answer\n" unless $reply->{success};
      my %count = $reply->{content} =~ /"(\w+)":(\d+)/g;
      my $effects = $count{notified} + $count{created};
      last if $effects >= $number;
      ($most, $at) = ($effects, time) if $effects > $most;
      die "after $effects messages of $number, none has had an effect for a minute\n" if time > $at + 60;
      select undef, undef, undef, 0.02;
    }' "$api_url" "$1"
}

simulate() { ask_url "$1" "$api_url/_sim/$2" ${3:+"$3"}; } # method, path, body

# The one that hangs, and remembers what it was asked.
start_bench_simulator() { # further options
  rm -f "$stage/work/port"
  start_simulator --no-auth "$@"
  api_url=http://127.0.0.1:$simulator_port
}
