# Sourced: a cluster that preloads the extension, and the simulated API, built in $place.
place=${AUTOPKGTEST_TMP:-$(mktemp -d)}
chmod 755 "$place"
simulator=
cluster=

finish() {
  status=$?
  trap - EXIT
  [ -z "$simulator" ] || kill "$simulator" || true
  [ -z "$cluster" ] || drop_cluster || true
  exit "$status"
}

as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); }
sql_in() { # database, arguments...
  in=$1
  shift
  as_postgres psql -XAtq -v ON_ERROR_STOP=1 --cluster "$cluster/reengage_test" -d "$in" "$@"
}
sql() { sql_in shop "$@"; }

wait_until() { # what, command...
  what=$1
  shift
  tries=3000
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "waited in vain: $what"; sql -c 'TABLE reengage.health'; exit 1; }
    sleep 0.1
  done
}

is_listening() { [ -s "$place/port" ]; }
have_ended() { [ "$(sql -c 'SELECT count(*) FROM reengage.lineage')" = "$1" ]; }

start_simulator() {
  mkdir -p "$place/tree/test" "$place/tree/src"
  cp -R test/simulator "$place/tree/test/"
  cp -R src/common "$place/tree/src/"
  make -s -C "$place/tree/test/simulator"
  "$place/tree/test/simulator/reengage-simulator" --port 0 --port-file "$place/port" --default-status closed &
  simulator=$!
  wait_until 'the simulated API listens' is_listening
  printf '[api]\nclient_id = demo\nclient_secret = secret\nhost = 127.0.0.1:*\n' >"$place/credentials"
  chown postgres "$place/credentials"
  chmod 600 "$place/credentials"
}

make_cluster() { # version
  cluster=$1
  pg_createcluster "$cluster" reengage_test
  pg_conftool -s "$cluster" reengage_test set shared_preload_libraries reengage
  pg_conftool -s "$cluster" reengage_test set reengage.databases shop
  pg_conftool -s "$cluster" reengage_test set reengage.credentials_file "$place/credentials"
  pg_conftool -s "$cluster" reengage_test set reengage.default_server api
  pg_ctlcluster "$cluster" reengage_test start
  as_postgres createdb --cluster "$cluster/reengage_test" shop
  sql -c 'CREATE EXTENSION reengage' \
    -c "CREATE SERVER api FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:$(cat "$place/port")')" \
    -c 'SELECT reengage.arm()'
}

drop_cluster() {
  pg_dropcluster --stop "$cluster" reengage_test
  cluster=
}

ask() { # conversation
  sql -c "INSERT INTO reengage.nudges (conversation_id, message) VALUES ('$1', 'Are you still there?')"
}

# Two nudges by the database itself, and one by a front of it: three rows of lineage.
deliver_on() { # version
  make_cluster "$1"
  ask live-1
  ask closed-1
  wait_until 'two nudges end' have_ended 2
  sql -c "SELECT reengage.join_fleet('shop')"
  as_postgres createdb --cluster "$cluster/reengage_test" front
  # pg_createcluster puts the socket elsewhere where its folder is somebody else's
  connection="host=$(sql -c 'SHOW unix_socket_directories') port=$(sql -c 'SHOW port') dbname=shop user=postgres"
  sql_in front -c 'CREATE EXTENSION reengage_front CASCADE' \
    -c "SELECT reengage_front.set_nodes(jsonb_build_object('shop', '$connection'))" \
    -c "INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-2', 'Are you still there?')"
  wait_until 'the one of the front ends' have_ended 3
  outcomes=$(sql_in front -c "SELECT string_agg(node || ' ' || outcome, ', ' ORDER BY outcome) FROM reengage.lineage")
  echo "said: PostgreSQL $1: $outcomes"
  [ "$outcomes" = 'shop notified, shop notified, shop session_created' ]
  drop_cluster
}

# Major versions of PostgreSQL that the extension is installed for.
installed_versions() {
  dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' 'postgresql-*-reengage' |
    sed -n 's/^installed postgresql-\([0-9]*\)-reengage$/\1/p'
}
