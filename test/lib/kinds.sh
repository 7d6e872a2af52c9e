# Sourced by test/run: how the tests of each kind run.  A function run_KIND runs
# some of them in $place, says what became of them, and counts.

# What several jobs need is made once, by a job of its own.
needs_of() { # job
  case $1 in
    "unit "*) echo "objects sanitized" ;;
    "units_at "*) echo "objects plain" ;;
    "snowflake generated") echo "snowflake install" ;;
    "snowflake package_roads") printf '%s\n' "snowflake install" "snowflake rows" "snowflake fleet" ;;
    "snowflake package" | "snowflake adapter" | "snowflake examples" | "snowflake proof" | "snowflake roads")
      printf '%s\n' "snowflake install" "snowflake rows"
      ;;
  esac
}

count_tap() { # file with TAP output
  local ok not skip
  ok=$(grep -c '^ok ' "$1" || true)
  not=$(grep -c '^not ok ' "$1" || true)
  skip=$(grep -ci '^ok .*# skip' "$1" || true)
  passed=$((passed + ok - skip)) failed=$((failed + not)) skipped=$((skipped + skip))
}

# Runs a command that prints TAP; its exit status must agree.
tap() { # title, command...
  local title=$1 output=$stage/jobs/tap.$BASHPID status=0 started=$SECONDS
  shift
  "$@" >"$output" 2>&1 || status=$?
  count_tap "$output"
  if [ "$status" = 0 ] && ! grep -q '^not ok ' "$output"; then
    echo "ok       $title, $((SECONDS - started)) s"
    sed -n 's/^# proof: /         /p' "$output"
    sed -nE 's/^ok .*# skip /skipped /Ip' "$output" | sort | uniq -c
  else
    grep -q '^not ok ' "$output" || failed=$((failed + 1))
    echo "FAILED   $title, $((SECONDS - started)) s"
    # but for what PostgreSQL's library notes of each session
    sed -e '/^ok /d' -e '/^# \(connect output\|results query [0-9]*\):$/,/^# }$/d' "$output"
    # what a test died of is only there
    grep -q '^not ok ' "$output" || tail -n 20 "$place"/data/tmp_check/log/regress_log_* 2>/dev/null || true
  fi
  rm -f "$output"
}

simple() { # title, command...: one test
  local title=$1 output=$stage/jobs/simple.$BASHPID started=$SECONDS
  shift
  if "$@" >"$output" 2>&1; then
    passed=$((passed + 1))
    echo "ok       $title, $((SECONDS - started)) s"
  else
    failed=$((failed + 1))
    echo "FAILED   $title, $((SECONDS - started)) s"
    cat "$output"
  fi
  rm -f "$output"
}

skip() { # title, why
  skipped=$((skipped + 1))
  echo "skipped  $1: $2"
}

# As the tests' own servers are made.
initdb_options=(--locale=C --encoding=UTF8)

# Each has an identifier of its own, as clusters that know each other must.
make_by_initdb() {
  local n
  for n in 0 1 2 3; do
    as_server_user "$bindir/initdb" -A trust -N "${initdb_options[@]}" -D "$stage/work/made_by_initdb.$n" >/dev/null
  done
}

# Runs a test in Perl that needs PostgreSQL.  Before 16 its library reserves
# ports, for all that run at the same time, in a folder that it must be told.
tap_of_server() { # title, file
  tap "$1" as_server_user env \
    PATH="$bindir:$PATH" PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
    PERL5LIB="$pgxs/src/test/perl:$stage/tree/test/lib" PG_TEST_PORT_DIR="$stage/work/ports" \
    TESTDATADIR="$place/data" TESTLOGDIR="$place/log" \
    MADE_BY_INITDB="$stage/work/made_by_initdb" MADE_WITH="${initdb_options[*]}" \
    SIMULATOR="$stage/reengage-simulator" STAGE_SETTINGS="$settings" TEST_POINT_SETTINGS="$point_settings" \
    PROOF_DIR="$stage/work/proof" DEBEZIUM="${debezium:-}" FILES_OF_ROOT="$stage/of_root" MORE_PROGRAMS="$stage/programs" perl "$2"
}

run_house() {
  simple "house rules" "$top/test/house_rules"
  tap "the benchmark's figures" perl "$top/test/bench/figures.t"
  simple "the build has no test points" has_no_test_points "$stage/root"
  if command -v readelf >/dev/null; then
    simple "the courier is hardened as the server is" is_hardened "$stage/root$("$pg_config" --pkglibdir)"/reengage-courier-*
  else
    skip "the courier is hardened as the server is" "readelf is not here"
  fi
}

# Of what PostgreSQL's own flags ask for, it has all.
is_hardened() { # program
  local flags
  flags="$("$pg_config" --cflags) $("$pg_config" --cppflags) $("$pg_config" --ldflags)"
  [[ $flags != *-fstack-protector* ]] || readelf -W --dyn-syms "$1" | grep __stack_chk_fail >/dev/null || { echo "no stack protector"; return 1; }
  [[ $flags != *-D_FORTIFY_SOURCE* ]] || readelf -W --dyn-syms "$1" | grep _chk@ >/dev/null || { echo "not fortified"; return 1; }
  [[ $flags != *-z,now* ]] || readelf -W -d "$1" | grep -E 'BIND_NOW|NOW' >/dev/null || { echo "not bound at once"; return 1; }
  [[ $flags != *-z,relro* ]] || readelf -W -l "$1" | grep GNU_RELRO >/dev/null || { echo "relocations are writable"; return 1; }
}

has_no_test_points() { # what was installed
  ! grep -l REENGAGE_TEST_POINTS "$1$("$pg_config" --pkglibdir)"/reengage*
}

run_lint() {
  if "$top/test/lint/available"; then
    simple "lint of the SQL by pgspot" "$top/test/lint/run"
  else
    skip "lint of the SQL" "pgspot, or Python with venv and an index that has it, is not here"
  fi
}

# What units link, compiled once: with sanitizers, or as they run at other times.
run_objects() { # sanitized or plain
  local program=
  [ "$1" = sanitized ] || program=objects
  PROGRAM=$program "$top/test/unit/run" objects "$stage/jobs/$1"
}

run_unit() { # name
  tap "unit: $1" env OBJECTS="$stage/jobs/sanitized" "$top/test/unit/run" "$top/test/unit/$1_test.c"
}

run_simulator() { # name
  tap "simulator: $1" as_server_user env SIMULATOR="$stage/reengage-simulator" perl "$stage/tree/test/simulator/t/$1.t"
}

run_fuzz() {
  if "$top/test/fuzz/available"; then
    tap "fuzz, 5 s each" "$top/test/fuzz/run" 5
  else
    skip fuzz "clang with libFuzzer is not here"
  fi
}

run_sdk() {
  if "$top/test/sdk/available"; then
    tap "simulator: Genesys Cloud's JavaScript SDK" "$top/test/sdk/run" "$stage/reengage-simulator"
  else
    skip "simulator: Genesys Cloud's JavaScript SDK" "node, npm or a registry is not here"
  fi
}

run_sql() { # names
  regress pg_regress regress "$stage/tree" "$@"
}

run_isolation() { # names
  if [ -x "$pgxs/src/test/isolation/pg_isolation_regress" ]; then
    regress pg_isolation_regress isolation "$stage/tree/test/isolation" "$@"
  else
    skip pg_isolation_regress "this PostgreSQL comes without it"
  fi
}

# One server for all of the names, one after the other.
regress() { # program, its folder in PostgreSQL's tests, input folder, names...
  local program=$1 path=$2 input=$3 line status=0 started=$SECONDS
  shift 3
  start_simulator --default-status closed
  printf '[genesys]\nclient_id = demo\nclient_secret = secret\nhost = 127.0.0.1:*\n' | as_server_user sh -c 'umask 077; cat >"$0"' "$place/credentials"
  {
    echo "$settings"
    echo "reengage.credentials_file = '$place/credentials'"
    echo "regress.simulator_port = $simulator_port"
    echo "jit = off"
  } | as_server_user tee "$place/regress.conf" >/dev/null
  SIMULATOR_PORT=$simulator_port CREDENTIALS_FILE=$place/credentials as_server_user \
    "$pgxs/src/test/$path/$program" --temp-instance="$place/instance" --temp-config="$place/regress.conf" \
    --inputdir="$input" --outputdir="$place" --bindir="$bindir" --dlpath="$("$pg_config" --pkglibdir)" \
    --encoding=UTF8 --no-locale "$@" 2>&1 </dev/null | as_server_user tee "$place/output" >/dev/null || status=$?
  stop_simulator
  # "ok 1 - name 12 ms" since 16, "test name ... ok 12 ms" before
  while read -r line; do
    case $line in
      "ok "* | test*" ok "*) passed=$((passed + 1)) ;;
      "not ok "* | test*FAILED*) failed=$((failed + 1)) ;;
    esac
  done <"$place/output"
  if [ "$status" = 0 ]; then
    echo "ok       $program$in_clock: $*, $((SECONDS - started)) s"
  else
    grep -qE '^(not ok|test.*FAILED)' "$place/output" || failed=$((failed + 1))
    echo "FAILED   $program$in_clock: $*, $((SECONDS - started)) s"
    grep -vE '^ok |\.\.\. ok' "$place/output" || true
    cat "$place/regression.diffs" 2>/dev/null || tail -20 "$place/log/postmaster.log" 2>/dev/null || true
    # why a server that went down in the middle did so is only there
    grep -E 'PANIC: |terminated by|exited with exit code|DETAIL:  Failed process' "$place/log/postmaster.log" 2>/dev/null | head -20 || true
  fi
}

# A build with test points has no place where real extensions are.
run_tap() { # name
  if needs_test_points "$1" && ! can_be_staged; then
    skip "tap: $1" "this PostgreSQL finds extensions only where they are installed"
  else
    tap_of_server "tap: $1$in_clock" "$stage/tree/test/t/$1.t"
  fi
}

needs_test_points() { # name
  grep -q TEST_POINT_SETTINGS "$top/test/t/$1.t"
}

run_snowflake() { # part
  local title
  case $1 in
    install | rows | fleet) "snowflake_$1"; return ;;
    generated) title="the files are what dbt compiles the package to" ;;
    package) title="the package, run by dbt on DuckDB, answers compared with PostgreSQL's" ;;
    package_roads) title="the package, run by dbt on DuckDB, on the rows of every road, and of two nodes" ;;
    adapter) title="the package, run by dbt's adapter for Snowflake on the emulation" ;;
    first_day) title="the first day, by its document" ;;
    examples) title="the questions' examples, and the package's unit tests" ;;
    proof) title="parsed, run on a local emulation, answers compared with PostgreSQL's" ;;
    roads) title="any text by files, and by Debezium where it is, into the emulation" ;;
  esac
  export SNOWFLAKE_PYTHON=$stage/jobs/python
  if [ "$1" = first_day ] && "$top/test/snowflake/available"; then
    tap "snowflake: $title" "$top/test/snowflake/first_day"
  elif [ ! -d "$SNOWFLAKE_PYTHON" ]; then
    skip "snowflake: $title" "Python with venv, or an index with the packages of the emulation, is not here"
  elif [ "$1" = generated ]; then
    tap "snowflake: $title" "$top/test/snowflake/run" generated
  else
    tap "snowflake: $title" "$top/test/snowflake/run" "$1" "$stage/work/proof"
  fi
}

snowflake_install() {
  ! "$top/test/snowflake/available" || "$top/test/snowflake/install" "$stage/jobs/python" ||
    skip "snowflake: what its parts need" "it could not be installed"
}

snowflake_fleet() {
  as_server_user mkdir -p "$stage/work/proof"
  tap_of_server "snowflake: rows of two nodes, collected" "$stage/tree/test/snowflake/fleet.t"
}

snowflake_rows() {
  local debezium=
  as_server_user mkdir -p "$stage/work/proof"
  fetch_debezium
  tap_of_server "snowflake: rows for the proof" "$stage/tree/test/snowflake/source.t"
}

# Debezium reads along where it can be had.
fetch_debezium() {
  local status=0 why
  why=$("$top/test/snowflake/debezium/fetch" "$stage/jobs/debezium" 2>&1) || status=$?
  case $status in
    0)
      as_server_user mkdir "$stage/work/debezium"
      tar -C "$stage/jobs/debezium" -cf - . | as_server_user tar -C "$stage/work/debezium" -xf -
      debezium=$stage/work/debezium
      ;;
    3) skip "snowflake: Debezium" "$(tail -n 1 <<<"$why")" ;;
    *)
      failed=$((failed + 1))
      echo "FAILED   snowflake: what runs Debezium does not compile"
      echo "$why"
      ;;
  esac
}

# ---- other clocks --------------------------------------------------------------------

# The days and hours that tests run at besides now, in seconds since 1970: a day
# of which nobody thinks, and one that ends while they run.
time_of() { # clock
  local year
  year=$(date -u +%Y)
  case $1 in
    leap_day)
      until date -u -d "$year-02-29 12:00" >/dev/null 2>&1 && [ "$(date -u -d "$year-02-29 12:00" +%s)" -gt "$(date +%s)" ]; do
        year=$((year + 1))
      done
      date -u -d "$year-02-29 12:00" +%s
      ;;
    new_year) date -u -d "$year-12-31 23:59:50" +%s ;;
  esac
}

# libfaketime, if it is here and works.
faketime_library() {
  local library
  library=$(faketime -f +0 printenv LD_PRELOAD 2>/dev/null) || return 1
  [ "$(LD_PRELOAD=$library FAKETIME=+1000d date -u +%Y)" -gt "$(date -u +%Y)" ] || return 1
  echo "$library"
}

# What as_server_user() starts has another clock from now on, which goes on from
# there; durations are measured as ever.  The courier has no environment.
set_clock() { # clock
  local libraries root=$place/root courier setting
  libraries=$place/waits.so:$(faketime_library)
  in_clock=" ($1)"
  "${CC:-cc}" -std=gnu99 -shared -fPIC -o "$stage/jobs/waits.$BASHPID" "$top/test/clocks/waits.c"
  as_server_user cp "$stage/jobs/waits.$BASHPID" "$place/waits.so"
  as_server_user cp -R "$stage/root" "$root"
  settings=${settings//"$stage/root"/"$root"}
  root=$root$("$pg_config" --pkglibdir)
  courier=$(echo "$root"/reengage-courier-*)
  as_server_user mv "$courier" "$root/courier"
  clock=(LD_PRELOAD="$libraries" FAKETIME="+$(($(time_of "$1") - $(date +%s)))" FAKETIME_DONT_FAKE_MONOTONIC=1)
  {
    echo "#!$BASH"
    for setting in "${clock[@]}"; do printf 'export %q\n' "$setting"; done
    printf 'exec -a reengage-courier %q\n' "$root/courier"
  } | as_server_user tee "$courier" >/dev/null
  as_server_user chmod 755 "$courier"
}

# libfaketime has shared memory for each process, which one that is killed leaves.
forget_clock() {
  local file
  clock=()
  for file in /dev/shm/*faketime_s[eh]m_*; do
    [ ! -e "$file" ] || kill -0 "${file##*_}" 2>/dev/null || rm -f "$file" 2>/dev/null || true
  done
}

run_clocks() { # clock, kind, names...
  if ! faketime_library >/dev/null; then
    skip "$2 at another time: $1" "faketime is not here"
  elif ! can_be_staged; then
    skip "$2 at another time: $1" "this PostgreSQL finds extensions only where they are installed"
  else
    set_clock "$1"
    "run_$2" "${@:3}"
    forget_clock
  fi
}

# Units, built once; sanitizers would want to be loaded before libfaketime.  One of
# common/, which has no clock (a rule of the house), is the same at any time unless
# it asks for the time itself.
run_units_at() { # clocks
  local source programs=$stage/jobs/units.$BASHPID at
  mkdir "$programs"
  for source in "$top"/test/unit/*_test.c; do
    [[ $(basename "$source") == courier_* ]] || grep -qE '\b(time|clock|clock_gettime|gettimeofday|timespec_get)\(' "$source" || continue
    PROGRAM=$programs/$(basename "$source" .c) OBJECTS=$stage/jobs/plain "$top/test/unit/run" "$source"
  done
  for at in "$@"; do
    if faketime_library >/dev/null; then
      clock=(LD_PRELOAD="$(faketime_library)" FAKETIME="+$(($(time_of "$at") - $(date +%s)))")
      tap "units ($at)" run_each "$programs"/*
      forget_clock
    else
      skip "units at another time: $at" "faketime is not here"
    fi
  done
}

run_each() { # programs
  local program status=0
  for program in "$@"; do env "${clock[@]}" "$program" || status=1; done
  return "$status"
}

run_torture() { # keys or no_keys
  if ! can_be_staged; then
    skip "torture, $1" "this PostgreSQL finds extensions only where they are installed"
  elif [ "$1" = keys ]; then
    simple "torture, with keys" env N=700 KILLS=14 SEED=2 KEYS=1 INSTALLED="$stage/points" "$top/test/faults/run"
  else
    simple "torture" env N=1500 KILLS=15 SEED=1 INSTALLED="$stage/points" "$top/test/faults/run"
  fi
}
