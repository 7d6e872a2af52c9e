# Sourced by test/bench/run: one contestant, measured once.
#
# A contestant is a file of contestants/: NAME.c and NAME.mjs are programs that say
# "ready", begin at "go" and say "done"; NAME.sh has functions for the same.  All
# have the same nudges, the same API and the same machine, and the clock runs from
# the first request that the API sees to the last outcome that is recorded.

contestants=(ceiling reengage node_worker graphile_worker pg_boss)

kind_of() { # contestant
  local file=("$bench/contestants/$1".*)
  echo "${file[0]##*.}"
}

database_of() { # contestant
  if [ "$(kind_of "$1")" = mjs ]; then echo "$1"; else echo bench; fi
}

# ---- who can take part -----------------------------------------------------------------

# Sets $taking_part.
choose_contestants() {
  local name
  taking_part=()
  peers_complaint=$(complaint_about_node)
  for name in ${CONTESTANTS:-${contestants[@]}}; do
    compgen -G "$bench/contestants/$name.*" >/dev/null || fail "there is no contestant \"$name\": ${contestants[*]}"
    if [ "$(kind_of "$name")" != mjs ]; then
      taking_part+=("$name")
    elif [ -z "$peers_complaint" ] && install_peers; then
      taking_part+=("$name")
    else
      skip "contestant $name" "$peers_complaint"
    fi
  done
}

complaint_about_node() {
  command -v node >/dev/null || { echo "node is not here"; return; }
  command -v npm >/dev/null || { echo "npm is not here"; return; }
}

# Once for all of them, into a folder that is removed with the rest.  Where node is
# older than the packages want, one that is not comes along.
install_peers() {
  local log=$stage/npm.log
  [ ! -d "$stage/peers" ] || return 0
  mkdir "$stage/peers"
  cp -R "$bench/package.json" "$bench/peer.mjs" "$bench/contestants" "$stage/peers/"
  node_program=node
  [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 22 ] || node_program=$stage/peers/node_modules/.bin/node
  say "installing the peers with npm, into a folder that is removed afterwards"
  if ! (cd "$stage/peers" && npm install --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000 \
    $([ "$node_program" = node ] || echo node@22)) >"$log" 2>&1 || ! "$node_program" --version >/dev/null 2>&1; then
    peers_complaint="npm could not install them: $(grep -v '^$' "$log" | tail -1 | cut -c1-200)"
    rm -rf "$stage/peers"
    return 1
  fi
  note versions what=node version="$("$node_program" --version | tr -d v)"
  note_package_versions
}

note_package_versions() {
  local name
  for name in graphile-worker pg pg-boss undici; do
    note versions what="$name" version="$(sed -n 's/^ *"version": "\(.*\)".*/\1/p' "$stage/peers/node_modules/$name/package.json" | head -1)"
  done
}

peer() { # contestant, arguments
  local name=$1
  shift
  PEER_SOCKETS=$stage/work PEER_DATABASE=$name PEER_USER=reengage_bench PEER_API=$api_url \
    "$node_program" "$stage/peers/contestants/$name.mjs" "$@"
}

# Those that cannot be prepared do not take part.
prepare_contestants() {
  local name prepared=()
  for name in "${taking_part[@]}"; do
    if [ "$(kind_of "$name")" != mjs ]; then
      prepared+=("$name")
      continue
    fi
    as_server_user "$bindir/createdb" -h "$stage/work" -U reengage_bench "$name"
    if peer "$name" prepare; then prepared+=("$name"); else skip "contestant $name" "it could not make its tables"; fi
  done
  taking_part=("${prepared[@]}")
}

# ---- one run ------------------------------------------------------------------------------

ask_contestant() { # contestant, prefix, nudges
  case $(kind_of "$1") in
    sh) "ask_$1" "$2" "$3" ;;
    mjs) peer "$1" ask "$2" "$3" ;;
  esac
}

# Starts it as far as it can be without beginning, and sets $processes.
ready_contestant() { # contestant, prefix, nudges, in flight
  local word
  case $(kind_of "$1") in
    sh) "ready_$1" "$3" "$4"; return ;;
    c) coproc program { exec "$stage/$1" "$api_url" "$2" "$3" "$4"; } ;;
    mjs) coproc program { PEER_SOCKETS=$stage/work PEER_DATABASE=$1 PEER_USER=reengage_bench PEER_API=$api_url \
      exec "$node_program" "$stage/peers/contestants/$1.mjs" work "$3" "$4"; } ;;
  esac 2>/dev/null
  processes=("$1"="$program_PID")
  read -r -t 60 word <&"${program[0]}" && [ "$word" = ready ]
}

# A program says when it is done: nobody asks, as asking costs.
work_contestant() { # contestant, nudges
  local word
  if [ "$(kind_of "$1")" = sh ]; then
    "work_$1" "$2"
  else
    echo go >&"${program[1]}"
    read -r -t 900 word <&"${program[0]}" && [ "$word" = done ]
  fi
}

end_contestant() {
  [ -n "${program_PID:-}" ] || return 0
  exec {program[1]}>&-
  wait "$program_PID" 2>/dev/null || true
  program_PID=
}

ended_at() { # contestant, prefix; microseconds since 1970
  case $(kind_of "$1") in
    sh) "ended_$1" "$2" ;;
    c) api_count last_us ;;
    mjs) sql_in "$1" -c "SELECT (extract(epoch FROM max(recorded_at)) * 1e6)::bigint FROM outcomes WHERE campaign = '$2'" ;;
  esac
}

start_watching() {
  rm -f "$stage/watching"
  perl "$bench/watch.pl" "$stage/watching" "${processes[@]}" api="$api_pid" \
    postgres="$(head -1 "$stage/work/data/postmaster.pid"):tree" >"$stage/watched" &
  watcher_pid=$!
  until [ -e "$stage/watching" ] || ! kill -0 $watcher_pid 2>/dev/null; do sleep 0.02; done
}

stop_watching() {
  kill $watcher_pid 2>/dev/null || true
  wait $watcher_pid 2>/dev/null || true
  watched=$(tr '\n' '\t' <"$stage/watched")
}

wal_position() { sql -c "SELECT pg_current_wal_flush_lsn()"; }

# Whose WAL it was: from a position to where asking had ended, and from where work began to its end.
note_wal() { # contestant, from, asked, begun, to, nudges, latency, in flight
  local database
  database=$(database_of "$1")
  [ -x "$bindir/pg_waldump" ] || return 0
  sql_in "$database" -F ' ' -c "SELECT pg_relation_filenode(c.oid),
      coalesce('TOAST of ' || (SELECT t.relname FROM pg_class t WHERE t.reltoastrelid IN (c.oid, (SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid))), c.relname)
    FROM pg_class c WHERE pg_relation_filenode(c.oid) IS NOT NULL" >"$stage/names"
  as_server_user "$bindir/pg_waldump" -p "$stage/work/data/pg_wal" -s "$2" -e "$5" 2>/dev/null |
    perl "$bench/wal.pl" "$(sql_in "$database" -c "SELECT oid FROM pg_database WHERE datname = current_database()")" "$3" "$4" "$stage/names" |
    while IFS=$'\t' read -r part relation bytes records images; do
      note wal contestant="$1" latency="$7" in_flight="$8" part="$part" relation="$relation" nudges="$6" bytes="$bytes" records="$records" images="$images"
    done
}

# One contestant once.  A failure is written down, and the contest goes on.
run_once() { # contestant, round, latency, in flight, nudges, place
  local name=$1 prefix="r$2-$3-$4-$6-" from asked begun effects watched processes failed=
  local cell=(contestant="$1" round="$2" latency="$3" in_flight="$4")
  reset_api "$3"
  hold "$name" "$prefix" "$5" "$4"
  effects=$(($(api_count notified) + $(api_count created)))
  [ -n "$failed" ] || [ "$effects" = "$5" ] || failed="the API saw $effects messages for $5 nudges"
  if [ -z "$failed" ]; then
    note_run "$name" "$prefix" "$5"
    [ "$2" != 1 ] || [ "$name" = ceiling ] || note_wal "$name" "$from" "$asked" "$begun" "$(wal_position)" "$5" "$3" "$4"
  else
    say "$name failed at $3 ms, $4 in flight: $failed"
    note failed "${cell[@]}" why="$failed"
  fi
}

# All of it, from asking on.  Sets what run_once() has declared.
hold() { # contestant, prefix, nudges, in flight
  sql -c CHECKPOINT
  from=$(wal_position)
  ask_contestant "$1" "$2" "$3" || failed="it could not ask"
  asked=$(wal_position)
  # as autovacuum would have in time
  sql_in "$(database_of "$1")" -c ANALYZE
  begun=$(wal_position)
  [ -z "$failed" ] || return 0
  if ready_contestant "$1" "$2" "$3" "$4"; then
    start_watching
    work_contestant "$1" "$3" || failed="it did not finish"
    stop_watching
  else
    failed="it did not start"
  fi
  end_contestant
}

note_run() { # contestant, prefix, nudges
  local us
  us=$(($(ended_at "$1" "$2") - $(api_count first_us)))
  note rates "${cell[@]}" nudges="$3" us="$us" calls="$((effects + $(api_count checks) + $(api_count refused)))" \
    most_at_once="$(api_count most_at_once)" ${watched:+"$watched"}
  say "${cell[*]:1}: $(printf '%-16s %6d nudges/s' "$1" $(($3 * 1000000 / us)))"
}
