# A limit of requests: how near we come to it, and whether any minute has more.
#
#   PER_MINUTE=6000

measure_quota() {
  local per_minute=${PER_MINUTE:-6000} asked
  asked=$((per_minute / 2))
  start_bench_simulator --latency-ms 20 --default-status hash
  start_server
  sql -c "ALTER SERVER api OPTIONS (SET max_requests_per_minute '$per_minute')" \
    -c "INSERT INTO reengage.nudges (conversation_id, message, campaign)
      SELECT 'bench-quota-' || n, 'Are you still there?', 'quota' FROM generate_series(1, $asked) n"
  wait_until all_ended
  note_most_in_a_minute "$asked" "$per_minute"
}

note_most_in_a_minute() { # nudges, requests a minute
  local found
  found=$(simulate GET requests.csv | perl -F, -lane '
    if ($. == 1) { ($at) = grep { $F[$_] eq "arrived_us" } 0 .. $#F; next }
    push @times, $F[$at] / 1e6;
    END {
      @times = sort { $a <=> $b } @times;
      for my $last (0 .. $#times) {
        $first++ while $times[$last] - $times[$first] > 60;
        $most = $last - $first + 1 if $last - $first >= $most;
      }
      printf "requests=%d\tseconds=%.1f\tmost_in_any_minute=%d", scalar @times, $times[-1] - $times[0], $most;
    }')
  note quota nudges="$1" per_minute="$2" "$found"
}
