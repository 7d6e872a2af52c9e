# The same load alone, and beside a server all of whose calls hang.
#
#   NEIGHBOUR_NUDGES=10000

measure_neighbour() {
  local nudges=${NEIGHBOUR_NUDGES:-10000} alone beside
  start_bench_simulator --latency-ms 20 --default-status hash
  start_server
  create_server hung
  alone=$(rate_of alone "$nudges")
  simulate POST faults '{"verb": "check", "id": "live-hung", "action": "hang"}' >/dev/null
  sql -c "INSERT INTO reengage.nudges (server, conversation_id, message)
    SELECT 'hung', 'live-hung-' || n, 'Are you still there?' FROM generate_series(1, 1000) n"
  wait_until all_of_it_hangs
  beside=$(rate_of beside "$nudges")
  all_of_it_hangs || say "the neighbour did not hang for long enough"
  note neighbour nudges="$nudges" rate_alone="$alone" rate_beside="$beside"
  simulate DELETE faults >/dev/null
}

all_of_it_hangs() { simulate GET counts | grep -q '"hanging": *64\b'; }
campaign_ended() { [ "$(sql -c "SELECT count(*) FROM reengage.lineage WHERE campaign = '$1'")" = "$2" ]; }

# Nudges a second, from the insert on.
rate_of() { # campaign, nudges
  sql -c "INSERT INTO reengage.nudges (conversation_id, message, campaign)
    SELECT '$1-' || n, 'Are you still there?', '$1' FROM generate_series(1, $2) n"
  wait_until campaign_ended "$1" "$2"
  sql -c "SELECT round(count(*) / extract(epoch FROM max(recorded_at) - min(requested_at))) FROM reengage.lineage WHERE campaign = '$1'"
}
