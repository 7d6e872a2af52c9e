# A history extract: seconds, and the memory of the session but for what all share,
# sampled.  The worker is disarmed, so that only the import is measured.
#
#   RECORDS=1000000

measure_history() {
  local records session pid most status=0
  start_api
  start_server
  records=$(as_many_as_fit "${RECORDS:-1000000}" 3000 "records of history")
  sql -c "SELECT reengage.disarm()" >/dev/null
  sql -v records="$records" -v file="$stage/work/history.csv" -f "$bench/measure/history.sql"
  sql -c "SELECT 'pid ' || pg_backend_pid()" -c '\timing on' \
    -c "CALL reengage.import_history('Are you still there?', 'history', file => '$stage/work/history.csv', as_of => '2099-01-01')" \
    -c "CALL reengage.import_history('Are you still there?', 'history', file => '$stage/work/history.csv', as_of => '2099-01-01')" \
    >"$stage/history" 2>"$stage/history.notices" &
  session=$!
  wait_until grep -q '^pid ' "$stage/history"
  pid=$(sed -n 's/^pid //p' "$stage/history")
  most=$(most_memory_of "$pid")
  wait $session || status=$?
  if [ "$status" = 0 ]; then note_imports "$most"; else cat "$stage/history.notices" >&2; fi
  rm -f "$stage/work/history.csv"
}

most_memory_of() { # process id
  local anonymous most=0
  while anonymous=$(awk '/^RssAnon/ {print $2}' "/proc/$1/status" 2>/dev/null) && [ -n "$anonymous" ]; do
    [ "$anonymous" -le "$most" ] || most=$anonymous
    sleep 0.2
  done
  echo $((most / 1024))
}

note_imports() { # MB
  local line
  awk -F'|' -v most="$1" '
    NF == 6 { row = "records=" $2 "\taccepted=" $3 "\trejected=" $4 "\tskipped=" $5 }
    /^Time:/ && row != "" { split($0, part, " "); printf "%s\tseconds=%.1f\tmemory_mb=%d\n", row, part[2] / 1000, most; row = "" }' \
    "$stage/history" | while IFS= read -r line; do note history "$line"; done
}
