# Sourced by test/run: jobs, side by side.  A job is "KIND NAME...": a call of
# the function run_KIND of test/lib/kinds.sh, in a subshell, with the folder $place,
# writable by the server's user.  What it prints is shown when it has ended; its
# counts are added up.
#
# Each job is a process group, so that none of its processes is left behind when
# the run is interrupted.  PostgreSQL's are in groups of their own: whoever
# started them stops them, and whom that escapes clean_up() finds by its pid file.

jobs=()

# Of the jobs, those whose turn it is.  Several lanes do this at the same time:
# who makes a job's folder takes it.
lane() {
  local n
  for n in "${!jobs[@]}"; do
    [ ! -e "$stage/stop" ] || break
    mkdir "$stage/jobs/$n" 2>/dev/null || continue
    set -m
    job "$n" >"$stage/jobs/$n/report" 2>&1 </dev/null &
    set +m
    echo $! >"$stage/jobs/$n/group"
    while kill -0 $! 2>/dev/null; do wait $! || true; done
    rm "$stage/jobs/$n/group"
    echo "$n"
  done
}

job() { # number
  local started=$SECONDS words
  set +m
  trap - EXIT
  read -r -a words <<<"${jobs[$1]}"
  place=$stage/work/$1
  work=$place
  passed=0 failed=0 skipped=0
  as_server_user mkdir "$place"
  "run_${words[0]}" "${words[@]:1}"
  echo "$passed $failed $skipped $((SECONDS - started))" >"$stage/jobs/$1/counts"
}

# Prints the numbers of the jobs as they end.  A signal that reaches the lanes,
# too, does not keep them from waiting.
lanes() { # how many
  local lane
  trap : INT TERM HUP
  for ((lane = 0; lane < $1; lane++)); do { trap : INT TERM HUP; lane; } & done
  until wait; do :; done
}

# Shows what a job has said, and adds its counts to those of the run.
account_for() { # number
  local counts
  cat "$stage/jobs/$1/report"
  if [ ! -f "$stage/jobs/$1/counts" ]; then
    echo "FAILED   ${jobs[$1]}: the job itself"
    counts=(0 1 0 0)
  else
    read -r -a counts <"$stage/jobs/$1/counts"
  fi
  passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
  [ -z "${TIMES:-}" ] || echo "${counts[3]} s: ${jobs[$1]}" >>"$TIMES"
}

run_jobs() { # how many at a time
  local n
  mkdir "$stage/jobs"
  exec 3< <(lanes "$1")
  trap 'interrupted INT 130' INT
  trap 'interrupted TERM 143' TERM
  trap 'interrupted HUP 129' HUP
  while read -r n <&3; do account_for "$n"; done
}

# No job begins any more; those that run are told to end, and waited for.
interrupted() { # by what, exit status
  local group n
  trap '' INT TERM HUP
  : >"$stage/stop"
  echo "interrupted by SIG$1: stopping what runs" >&2
  for group in "$stage"/jobs/*/group; do
    [ -f "$group" ] || continue
    n=$(basename "$(dirname "$group")")
    echo "was running: ${jobs[$n]}" >&2
    kill -TERM -- "-$(cat "$group")" 2>/dev/null || true
  done
  while read -r n <&3; do :; done
  exit "$2"
}
