# What it costs to have nothing to do: transactions, WAL and CPU time of worker and
# courier.  Autovacuum, which has something to do, is off.
#
#   IDLE_SECONDS=60

measure_idle() {
  local seconds=${IDLE_SECONDS:-60} worker courier before after cpu_before cpu_after
  start_api
  start_server "autovacuum = off"
  worker=$(worker_state pid)
  courier=$(courier_of "$worker")
  sql_in postgres -c CHECKPOINT
  sleep 5
  before=$(done_so_far)
  cpu_before=$(cpu_ms_of "$worker" "$courier")
  sleep "$seconds"
  after=$(done_so_far)
  cpu_after=$(cpu_ms_of "$worker" "$courier")
  note idle seconds="$seconds" transactions=$((${after% *} - ${before% *})) wal_bytes=$((${after#* } - ${before#* })) cpu_ms=$((cpu_after - cpu_before))
}

# Transactions of the database, and bytes of WAL; asked for in another, so that
# asking does not count.
done_so_far() {
  sql_in postgres -F ' ' -c "SELECT xact_commit + xact_rollback, (pg_current_wal_insert_lsn() - '0/0')::bigint FROM pg_stat_database WHERE datname = 'bench'"
}

cpu_ms_of() { # process ids
  local pid
  for pid in "$@"; do cat "/proc/$pid/stat"; done |
    awk -v tick="$(getconf CLK_TCK)" '{ sum += $14 + $15 } END { print int(sum * 1000 / tick) }'
}
