# How long a move of a server takes, and for how long nothing of it is sent and who
# inserts waits: with so much due, and with so much that has ended.  Both nodes and the
# front are databases of one cluster: no network is between them.  The history is
# generated with triggers off, as only the owner of a cluster can.
#
#   MOVE_DUE=100000  MOVE_HISTORY="0 1000000"

measure_move() {
  local history
  for history in ${MOVE_HISTORY:-0 1000000}; do
    # in a cluster of its own
    (trap end_what_runs EXIT && move_with "$history" "${MOVE_DUE:-100000}")
  done
}

move_with() { # rows of history, nudges due
  local history=$1 due=$2
  start_api
  start_server "max_worker_processes = 16" "reengage.databases = 'bench,second'"
  make_fleet 1
  sql_in second -c "DROP SERVER api_second" >/dev/null
  sql_in front -c "SELECT reengage_front.drop_route('api_second')" >/dev/null
  make_history "$history"
  say "asking for $due nudges"
  sql -c "INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at)
    SELECT 'api', 'move-' || n, 'Are you still there?', 'move', now() + interval '1 day' FROM generate_series(1, $due) n" \
    -c "SELECT reengage.recount()" -c "VACUUM (ANALYZE) reengage.nudges, reengage.lineage, reengage.due" >/dev/null
  say "moving"
  sql_in front -c "CALL reengage.move_server('api', 'second', '5 minutes')"
  note move due="$due" history="$history" $(sql_in front -F ' ' -c "SELECT
      'seconds=' || round(extract(epoch FROM ended_at - began_at), 1), 'until_drained=' || round(extract(epoch FROM drained_from - began_at), 1),
      'not_sent=' || round(extract(epoch FROM nothing_sent_for), 2), 'waited=' || round(extract(epoch FROM inserts_waited_for), 2),
      'copied=' || nudges FROM reengage.moves")
}

make_history() { # rows
  [ "$1" -gt 0 ] || return 0
  say "making a history of $1 nudges"
  sql -c "SET session_replication_role = replica" \
    -c "INSERT INTO reengage.nudges (server, conversation_id, message, campaign, requested_at)
        SELECT 'api', 'history-' || n, 'Are you still there?', 'history', now() - interval '1 day' FROM generate_series(1, $1) n" \
    -c "INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation, campaign,
          attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, detail)
        SELECT nudge_id, server, 'notified', conversation_id, conversation_id, conversation_id, 0, campaign, 1, 2, 0, requested_at, due_at, now(), detail
        FROM reengage.nudges WHERE campaign = 'history'"
}
