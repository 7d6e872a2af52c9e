# reengage in the contest: its nudges are inserted while the server is paused, so
# that inserting and sending can be told apart, and resume() is what begins.

ask_reengage() { # prefix, nudges
  sql -c "SELECT reengage.pause('api')" -c "INSERT INTO reengage.nudges (conversation_id, message, campaign)
    SELECT '$1' || n, 'Are you still there?', '$1' FROM generate_series(0, $2 - 1) n" >/dev/null
}

# Sets $processes.
ready_reengage() { # nudges, in flight
  local worker
  sql -c "ALTER SERVER api OPTIONS (SET max_in_flight '$2')"
  worker=$(worker_state pid)
  processes=(worker="$worker" courier="$(courier_of "$worker")")
}

courier_of() { # process id of a worker
  local pid
  for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do echo "$pid"; return; done
}

work_reengage() { # nudges
  sql -c "SELECT reengage.resume('api')" >/dev/null
  wait_for_effects "$1" && wait_until all_ended
}

# The time of the last outcome, in microseconds since 1970.
ended_reengage() { # prefix
  sql -c "SELECT (extract(epoch FROM max(recorded_at)) * 1e6)::bigint FROM reengage.lineage WHERE campaign = '$1'"
}
