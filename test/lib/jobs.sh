# Sourced by test/run: jobs, side by side.  A job is "KIND NAME...": a call of
# the function run_KIND of test/lib/kinds.sh, in a subshell, with the folder $place,
# writable by the server's user.  What it prints is shown when it has ended; its
# counts are added up.
#
# A job begins when those that it needs have ended, whatever became of them: by the
# function needs_of of test/lib/kinds.sh.
#
# Each job is a process group, so that none of its processes is left behind when
# the run is interrupted.  PostgreSQL's are in groups of their own: whoever
# started them stops them, and whom that escapes clean_up() finds by its pid file.

jobs=() needs=()

# Of the jobs, those whose turn it is.  Several lanes do this at the same time.  When
# one has ended, the first ones may begin that waited for it.
lane() {
  local n left=1
  while [ -n "$left" ] && [ ! -e "$stage/stop" ]; do
    left=
    for n in "${!jobs[@]}"; do
      [ ! -d "$stage/jobs/$n" ] || continue
      left=1
      ! is_ready "$n" || ! take "$n" || continue 2
    done
    [ -z "$left" ] || sleep 0.2
  done
}

# Runs a job, unless another lane does: who makes its folder takes it.
take() { # number
  mkdir "$stage/jobs/$1" 2>/dev/null || return
  set -m
  job "$1" >"$stage/jobs/$1/report" 2>&1 </dev/null &
  set +m
  echo $! >"$stage/jobs/$1/group"
  while kill -0 $! 2>/dev/null; do wait $! || true; done
  rm "$stage/jobs/$1/group"
  : >"$stage/jobs/$1/ended"
  echo "$1"
}

is_ready() { # number
  local n
  for n in ${needs[$1]}; do [ -e "$stage/jobs/$n/ended" ] || return; done
}

# Of each job, the numbers of those that it needs.
find_needs() {
  local n need m
  declare -A number
  for n in "${!jobs[@]}"; do number[${jobs[n]}]=$n; done
  for n in "${!jobs[@]}"; do
    needs[n]=
    while read -r need; do
      m=${number[$need]:?"a job that another one needs is not planned"}
      needs[n]+=" $m"
    done < <(needs_of "${jobs[n]}")
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
  times >"$stage/jobs/$1/times"
}

# Prints the numbers of the jobs as they end.  A signal that reaches the lanes,
# too, does not keep them from waiting.
lanes() { # how many
  local lane
  trap : INT TERM HUP
  for ((lane = 0; lane < $1; lane++)); do { trap : INT TERM HUP; lane; } & done
  until wait; do :; done
}

# What a job has taken, but for servers, which are nobody's children.
processor_time() { # number
  awk -F '[ms ]' '{ sum += 60 * ($1 + $4) + $2 + $5 } END { printf "%.0f\n", sum }' "$stage/jobs/$1/times"
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
  [ -z "${TIMES:-}" ] || echo "${counts[3]} s, $(processor_time "$1") s of a processor: ${jobs[$1]}" >>"$TIMES"
}

run_jobs() { # how many at a time
  local n
  find_needs
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
