# What closing a day costs: of N rows of lineage that are all of one day, with every
# column filled that an outcome fills.  By all columns, as close_day() and the worker
# count; by 13 of them, as version 1.0 did; as SQL alone makes the same sums, which is
# what a subscriber without the extension has, of a tenth of the rows; and comparing.
# Processor time, as nobody waits for it; of a day that a client with 300 requests a
# minute has, two for each nudge, how many seconds it is.
#
#   N=200000  ROUNDS=3 (of which the median counts)

measure_manifest() {
  local n rounds=${ROUNDS:-3}
  start_api
  start_server
  n=$(as_many_as_fit "${N:-200000}" 2000 "rows of lineage")
  sql -c "SELECT reengage.disarm()" >/dev/null
  say "making $n rows of lineage"
  sql -v n="$n" -f "$bench/measure/manifest.sql" >/dev/null
  count_a_day "32 columns" "$n" "FROM reengage_internal.count_lineage('2020-03-01 00:00+00', '2020-03-02 00:00+00')"
  count_a_day "13 columns, as 1.0" "$n" "FROM reengage_internal.count_lineage_1_0('2020-03-01 00:00+00', '2020-03-02 00:00+00')"
  sql -c "CALL reengage.close_day('2020-03-01')"
  count_a_day "comparing a day" "$n" "FROM reengage.reconciliation WHERE day = '2020-03-01' AND state = 'equal'"
  count_a_day "32 columns, SQL alone" "$((n / 10))" "FROM (SELECT l FROM reengage.lineage l LIMIT $((n / 10))) d, LATERAL (
    SELECT sum(reengage.canonical_hash(v.canonical)) FROM reengage.lineage_values(d.l) v) s"
}

# In clock ticks, of the statement's own process.
cpu_ticks="(SELECT f[14]::bigint + f[15]::bigint FROM string_to_array(pg_read_file('/proc/self/stat', 0, 4000), ' ') f)"

count_a_day() { # what, rows, what is looked at
  local what=$1 rows=$2 from=$3 round ticks median
  for round in $(seq "$rounds"); do
    ticks=$(sql -c "SET jit = off" -c "CREATE TEMP TABLE began AS SELECT $cpu_ticks AS ticks" \
      -c "CREATE TEMP TABLE counted AS SELECT * $from" -c "SELECT $cpu_ticks - ticks FROM began")
    awk -v ticks="$ticks" -v hertz="$(getconf CLK_TCK)" -v rows="$rows" 'BEGIN { print ticks / hertz * 1e6 / rows }'
  done | sort -n >"$stage/rounds"
  median=$(sed -n "$(((rounds + 1) / 2))p" "$stage/rounds")
  note manifest what="$what" rows="$rows" cpu_us_a_row="$(printf %.1f "$median")" \
    seconds_of_a_day="$(awk -v us="$median" 'BEGIN { printf "%.1f", us * 300 / 2 * 1440 / 1e6 }')"
}
