# The contest: who sends most, and at what cost.  In each round and for each cell
# (a latency of the API, and how many calls are in flight) every contestant has its
# turn, in another order each round, between two runs of the ceiling.
#
#   ROUNDS=3  CELLS="0:64 20:256"  CELL_SECONDS=4  CONTESTANTS="ceiling reengage"

# At the ceiling a cell takes so many seconds; without latency, of a ceiling that is
# taken to be 15,000 nudges/s.  Fewer nudges would not be fair to Node, which compiles
# what it runs while it runs: with 20,000 it is a third slower than with 60,000.
nudges_of_cell() { # latency, in flight
  local seconds=${CELL_SECONDS:-4}
  if [ "$1" = 0 ]; then echo $((15000 * seconds)); else echo $((1000 * $2 * seconds / (2 * $1))); fi
}

measure_rates() {
  local rounds=${ROUNDS:-3} cells=${CELLS:-0:64 0:256 20:64 20:256 100:64 100:256} round cell name
  [ -r "/proc/$$/stat" ] && [ "$(uname)" = Linux ] || { skip rates "the contest is for Linux"; return; }
  require_room 6000 "the contest"
  cc -std=gnu99 -O2 -D_GNU_SOURCE -o "$stage/ceiling" "$bench/contestants/ceiling.c" -lcurl
  choose_contestants
  start_api
  start_server
  prepare_contestants
  for ((round = 1; round <= rounds; round++)); do
    for cell in $cells; do
      run_cell "$round" "${cell%:*}" "${cell#*:}"
    done
  done
}

run_cell() { # round, latency, in flight
  local round=$1 latency=$2 in_flight=$3 others=() nudges name n
  nudges=$(nudges_of_cell "$latency" "$in_flight")
  for name in "${taking_part[@]}"; do [ "$name" = ceiling ] || others+=("$name"); done
  [[ " ${taking_part[*]} " != *" ceiling "* ]] || run_once ceiling "$round" "$latency" "$in_flight" "$nudges" before
  for ((n = 0; n < ${#others[@]}; n++)); do
    run_once "${others[(n + round) % ${#others[@]}]}" "$round" "$latency" "$in_flight" "$nudges" "$n"
  done
  [[ " ${taking_part[*]} " != *" ceiling "* ]] || run_once ceiling "$round" "$latency" "$in_flight" "$nudges" after
}
