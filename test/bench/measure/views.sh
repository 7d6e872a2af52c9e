# What looking costs in a database that has seen much: N nudges, a third of them due,
# and twice as many rows of lineage.  It is generated on disk by SQL with triggers
# off, as only the owner of a cluster can.
#
#   N=1000000  VIEW_SECONDS=60 (what takes longer is ended)
#   CAMPAIGNS=50 (such as 200000: one for each customer)
#   SERVERS=1  ROLES=2 (beyond these, each role asks at one server after another)

measure_views() {
  local n campaigns=${CAMPAIGNS:-50} servers=${SERVERS:-1} roles=${ROLES:-2}
  start_api
  start_server "maintenance_work_mem = 512MB" "max_wal_size = 2GB"
  # a nudge, its two rows of lineage and all their indexes take 2 kB, sorting and WAL as much again
  n=$(as_many_as_fit "${N:-1000000}" 4000 "nudges")
  sql -c "SELECT reengage.disarm()" >/dev/null
  say "making $n nudges of $campaigns campaigns and $roles roles at $servers servers"
  for ((server = 1; server < servers; server++)); do echo "CREATE SERVER \"api $server\" FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$api_url', auth 'none');"; done | sql -f -
  sql -v n="$n" -v campaigns="$campaigns" -v servers="$servers" -v roles="$roles" -f "$bench/measure/views_data.sql" >/dev/null
  add_up
  note database nudges="$n" campaigns="$campaigns" servers="$servers" roles="$roles" lineage="$(sql -c "SELECT count(*) FROM reengage.lineage")" due="$(sql -c "SELECT count(*) FROM reengage.due")" \
    mb="$(sql -c "SELECT pg_database_size('bench') / 1048576")"
  look_at_each
}

# As the worker does when it is woken, fenced or not: what was counted is many numbers.
add_up() {
  local until=$((SECONDS + 300))
  while [ "$(sql -c "SELECT count(*) FROM reengage.tally_changes")" != 0 ]; do
    [ "$SECONDS" -lt $until ] || fail "the worker does not add up what is counted"
    sql -c "SELECT reengage.nudge('conversation-0', 'x', campaign => 'campaign 0', due_at => now() + interval '1 day')" >/dev/null
    sleep 1
  done
  sql -c "VACUUM (ANALYZE) reengage.tallies" -c "VACUUM (ANALYZE) reengage.tally_changes"
}

# Each look of views.sql: twice, of which the second counts; the first found its pages on disk.
look_at_each() {
  local name statement
  while IFS=$'\t' read -r name statement; do
    note views what="$name" "$(look "$statement")"
  done < <(awk '/^-- / { name = substr($0, 4); next } NF { statement = statement " " $0 } /;$/ { print name "\t" statement; statement = "" }' \
    "$bench/measure/views.sql")
}

look() { # statement
  sql -v n="$n" -c "SET statement_timeout = '${VIEW_SECONDS:-60}s'" -f - 2>"$stage/complaint" <<<"
    BEGIN;
    EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $1
    ROLLBACK; BEGIN;
    EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $1
    ROLLBACK;" | perl -MJSON::PP -0777 -ne '
      my @plans = JSON::PP->new->incr_parse($_);
      die "one of two\n" unless @plans == 2;
      my ($first, $again) = map { $_->[0] } @plans;
      printf "ms=%.2f\tfirst_ms=%.1f\tbuffers=%d", $again->{"Execution Time"}, $first->{"Execution Time"},
        $again->{Plan}{"Shared Hit Blocks"} + $again->{Plan}{"Shared Read Blocks"};
      printf "\tof_it_jit_ms=%.0f", $again->{JIT}{Timing}{Total} if $again->{JIT}' 2>/dev/null ||
    if grep -q 'statement timeout' "$stage/complaint"; then
      echo "ms=> $((1000 * ${VIEW_SECONDS:-60}))"
    else
      echo "ms=$(sed -n 's/.*ERROR: *//p' "$stage/complaint" | head -1 | cut -c1-60)"
    fi
}
