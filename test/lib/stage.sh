# Sourced by the scripts that need the extension built, installed in a place of
# its own, and a server's user to run PostgreSQL as.  Sets:
#
#   $stage    a private folder: $stage/root is what make install installed,
#             $stage/work is writable by the server's user, $stage/tree is this
#             tree, for that user to read: it may not enter root's home
#   $bindir   PostgreSQL's programs
#
# PostgreSQL refuses to run as root, so root uses the account "postgres" or
# "nobody"; everybody else uses their own.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
stage=

# Not empty: $stage/work outlives the script, where it is, since reports name files in it.
keep_work=

# What is in the environment of whatever runs at another time; else nothing.
clock=()

as_server_user() {
  if [ "$(id -u)" != 0 ]; then
    env ${clock[@]+"${clock[@]}"} "$@"
  else
    (cd / && setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups \
      env HOME="$stage/work" ${clock[@]+"${clock[@]}"} "$@")
  fi
}

build() {
  make -s -C "$top" all "$@" >&2
  make -s -C "$top/test/simulator" "$@" >&2
}

# Makes the stage and installs into it.
make_stage() {
  server_user=$(id -un)
  if [ "$server_user" = root ]; then
    server_user=postgres
    id postgres >/dev/null 2>&1 || server_user=nobody
  fi
  stage=$(mktemp -d "${TMPDIR:-/tmp}/reengage.XXXXXX")
  mkdir "$stage/root" "$stage/work"
  make -s -C "$top" install DESTDIR="$stage/root" >/dev/null
  cp "$top/test/simulator/reengage-simulator" "$stage/"
  copy_tree "$stage/tree"
  chmod 755 "$stage"
  if [ "$(id -u)" = 0 ]; then
    chown -R "$server_user" "$stage"
    make_files_of_root
  fi
}

# What test/deps has unpacked, for a user who may not enter root's home.
link_programs() {
  [ -d "$top/.programs" ] || return 0
  cp -RlL "$top/.programs/usr/bin" "$stage/programs" 2>/dev/null || cp -R "$top/.programs/usr/bin" "$stage/programs"
}

# What is written by hand, of this tree.
copy_tree() { # to
  mkdir "$1"
  tar -C "$top" --exclude=./.git --exclude=./.asserts --exclude=./.matrix --exclude=./.programs --exclude='*.o' --exclude='*.so' --exclude=./reengage-courier --exclude='./reengage--*' --exclude='./reengage_front--*' --exclude=./test/bench/results -cf - . |
    tar -C "$1" -xf -
}

# Credentials as whoever hands out secrets to machines makes them: root's, for
# the group of the server's user.  MODE.GROUP is the name of the file.
make_files_of_root() {
  local mode group file
  mkdir -m 755 "$stage/of_root"
  for mode in 0640 0440 0600 0644 0660; do
    for group in server root; do
      file=$stage/of_root/$mode.$group
      printf '[genesys]\nclient_id = demo\nclient_secret = secret\nhost = 127.0.0.1:*\n' >"$file"
      [ "$group" = root ] || chgrp "$(id -g "$server_user")" "$file"
      chmod "$mode" "$file"
    done
  done
}

# Installs a build with test points (src/common/test_point.h) into
# $stage/points, beside the real one.  It is made in a copy of the sources, so
# that no object with test points is ever taken for one without.
stage_test_points() {
  mkdir "$stage/build" "$stage/points"
  (cd "$top" && tar -cf - Makefile reengage.control reengage_front.control src/*/*.[ch] src/*/*/*.[ch] src/sql src/front src/top src/rehearsal test/faults/test_point.c) |
    tar -xf - -C "$stage/build"
  make -s -j2 -C "$stage/build" TEST_POINTS=1 "$@" >&2
  make -s -C "$stage/build" TEST_POINTS=1 install DESTDIR="$stage/points" >/dev/null
  rm -rf "$stage/build"
}

# Whether both halves of what is installed in a folder have test points.
has_test_points() {
  local part
  for part in "$1$("$pg_config" --pkglibdir)"/reengage{.*,-courier-*}; do
    grep -q REENGAGE_TEST_POINTS "$part" || return 1
  done
}

# Whether a server finds extensions elsewhere than in PostgreSQL's own folders:
# by a setting of version 18, or of Debian's before.
can_be_staged() {
  [ "$(postgres_version)" -ge 18 ] || grep -q '^extension_destdir' <<<"$("$bindir/postgres" --describe-config)"
}

postgres_version() {
  "$pg_config" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
}

# Settings with which a server finds the extension in the stage, or in another
# folder that it was installed into.  A server that cannot gets a real installation.
stage_settings() {
  local root=${1:-$stage/root} sharedir pkglibdir
  sharedir=$("$pg_config" --sharedir)
  pkglibdir=$("$pg_config" --pkglibdir)
  if ! can_be_staged; then
    echo "this PostgreSQL finds extensions only where it is installed: installing there" >&2
    if [ -w "$pkglibdir" ]; then make -s -C "$top" install >/dev/null; else sudo make -s -C "$top" install >/dev/null; fi
    return
  fi
  if [ "$(postgres_version)" -ge 18 ]; then
    echo "extension_control_path = '$root$sharedir:\$system'"
  else
    echo "extension_destdir = '$root'"
  fi
  echo "dynamic_library_path = '$root$pkglibdir:\$libdir'"
}

# Waits, without end but watched by whoever runs us, until a command succeeds.
wait_until() {
  until "$@" >/dev/null 2>&1; do sleep 0.05; done
}

# Starts the simulator and sets $simulator_port.  Further arguments are its
# options.  Its files are in the folder $work, or else in $stage/work.
start_simulator() {
  local place=${work:-$stage/work}
  as_server_user sh -c 'echo $$ >"$0"; exec "$@"' "$place/simulator.pid" \
    "$stage/reengage-simulator" --port 0 --port-file "$place/port" "$@" \
    >"$stage/simulator.$BASHPID.log" 2>&1 &
  wait_until test -s "$place/port"
  simulator_port=$(cat "$place/port")
}

stop_simulator() {
  kill "$(cat "${work:-$stage/work}/simulator.pid")" 2>/dev/null || true
}

# Sends a signal to the process that a file names in its first line, and waits
# until it has ended.  Its number may be another's by now: its command names the
# folder of the file.  One that has ended may never be waited for where process 1
# is no init.
end_process() { # signal, file
  local pid
  pid=$(head -1 "$2" 2>/dev/null) || return 0
  [[ $(ps -o args= -p "$pid" 2>/dev/null) == *"$(dirname "$2")"* ]] || return 0
  kill "-$1" "$pid" 2>/dev/null || true
  while [[ $(ps -o stat= -p "$pid" 2>/dev/null) == [^Z]* ]]; do sleep 0.05; done
}

# What must not outlive the script; call it from a trap on EXIT.  A postmaster
# that is told to quit waits for nothing.
clean_up() {
  local file
  trap - EXIT
  if [ -n "$stage" ]; then
    while read -r file; do end_process QUIT "$file"; done < <(find "$stage" -name postmaster.pid 2>/dev/null)
    while read -r file; do end_process TERM "$file"; done < <(find "$stage" -name simulator.pid 2>/dev/null)
  fi
  wait 2>/dev/null || true
  [ -n "$stage" ] || return 0
  if [ -n "$keep_work" ]; then
    find "$stage" -mindepth 1 -maxdepth 1 ! -name work -exec rm -rf {} +
  else
    rm -rf "$stage"
  fi
}
