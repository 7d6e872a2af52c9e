"""Runs the package of dbt on DuckDB; prints TAP.

    package.py FOLDER WORK [roads]     FOLDER: what source.t left there; WORK: an empty folder

The rows that came by logical replication are landed; dbt builds the package with its
tests, in a project that uses it as README.md says; each answer is compared with
PostgreSQL's.  Then faults are planted, which the package's own tests must name.

roads: they are landed as each road lands them, side by side, instead; and those of two
nodes as a subscriber has collected them."""

import contextlib
import datetime
import pathlib
import sys

import duckdb

import answers
import dbt_here
import landings
import pgoutput
import reference
import shop
import vectors
from tap import Tap

MESSAGES = """
SELECT server, message_id, conversation_id, direction, TIMEZONE('UTC', sent_at::TIMESTAMPTZ) AS sent_at, body
FROM chat.messages
"""
# no day may depend on it
ELSEWHERE = "Pacific/Kiritimati"
LONG_AGO = datetime.timedelta(days=40)


class Shop:
    """A project that uses the package, and its database."""

    def __init__(self, place):
        self.place, self.file = place, place / "shop.duckdb"
        shop.make_project(place, MESSAGES)
        self.variables = {"reengage_source_schema": "landing", "reengage_messages": "chat_messages"}
        self.dbt("deps")

    @contextlib.contextmanager
    def opened(self):
        with duckdb.connect(str(self.file)) as connection:
            connection.execute(f"SET TimeZone = '{ELSEWHERE}'")
            yield connection

    def dbt(self, *arguments, schema="bi", accept=(0,), **variables):
        profile = {"type": "duckdb", "path": str(self.file), "schema": schema, "threads": 2, "settings": {"TimeZone": ELSEWHERE}}
        return dbt_here.run(self.place, profile, arguments, self.place, {**self.variables, **variables}, accept)

    def make_landing(self, landing, relations, schema="landing"):
        with self.opened() as connection:
            landing.make_tables(connection, schema, relations)

    def land(self, landing, relations, changes, at=landings.NOW, schema="landing"):
        with self.opened() as connection:
            landing.land(connection, schema, relations, changes, at)

    def rows(self, query):
        with self.opened() as connection:
            return connection.execute(query).fetchall()

    def run(self, *statements):
        with self.opened() as connection:
            for statement in statements:
                connection.execute(statement)


class Proof:
    """The stream, and the answers of PostgreSQL."""

    def __init__(self, folder, tap):
        self.folder, self.tap = folder, tap
        transactions, relations = pgoutput.decode((folder / "changes").read_text().split())
        self.changes = [change for transaction in transactions for change in transaction]
        self.messages = {"messages": relations.pop("messages", None)}
        self.relations = relations
        self.questions = sorted(path.stem for path in folder.glob("[A-Z]*.csv"))

    def built(self, title, results):
        bad = [f"{name}: {result['message']}" for name, result in results.items() if result["status"] not in ("success", "pass")]
        tests = sum(result["unique_id"].startswith("test.") for result in results.values())
        return self.tap.ok(tests and not bad, f"{title}: {len(results) - tests} models, {tests} tests", *bad)

    def equal(self, name, title, ask):
        header, wanted = answers.wanted(self.folder / f"{name}.csv")
        try:
            found = ask(", ".join(header))
        except duckdb.Error as error:
            return self.tap.ok(False, title, error)
        return self.tap.ok(*answers.compared(header, wanted, found, f"{title}, {len(wanted)} rows"))


def land_messages(proof, bi):
    chat = landings.Landing("chat", {}, {})
    bi.make_landing(chat, proof.messages, "chat")
    bi.land(chat, proof.messages, proof.changes, schema="chat")


def in_two_batches(proof, bi, landing):
    """What comes late by days comes in, and nothing twice; then each answer is PostgreSQL's."""
    tap, changes = proof.tap, [change for change in proof.changes if change[0] != "messages"]
    half = len(changes) // 2
    lineage = [change for change in changes if change[0] == "lineage"]
    late = min(lineage, key=lambda change: change[1]["recorded_at"])
    bi.make_landing(landing, proof.relations)
    bi.land(landing, proof.relations, [change for change in changes[:half] if change is not late], landings.NOW - LONG_AGO)
    bi.dbt("run")
    stale = bi.dbt("source", "freshness", accept=(0, 1))
    before, newest = bi.rows("SELECT COUNT(*), MAX(recorded_at) FROM bi.lineage")[0]
    bi.land(landing, proof.relations, [*changes[half:], *changes[: half // 2], late])
    proof.built("built on two batches, with a late row and many twice", bi.dbt("build", accept=(0, 1)))
    fresh = bi.dbt("source", "freshness", accept=(0, 1))
    states = [{name: result["status"] for name, result in sources.items()} for sources in (stale, fresh)]
    tap.ok(states == [{"lineage": state, "lineage_manifest": state} for state in ("error", "pass")],
           "the sources are stale when nothing has come for days, and fresh when something has", *states)
    came = bi.rows(f"SELECT COUNT(*) FROM bi.lineage WHERE lineage_id = '{late[1]['lineage_id']}' AND recorded_at < '{newest}'")
    tap.ok(came == [(1,)], "a row that was recorded long before those of the first batch has come in", came)
    count = bi.rows("SELECT COUNT(*) FROM bi.lineage")[0][0]
    tap.ok(0 < before <= half and count == len(lineage), "each row is there once", before, count)
    equal = [proof.equal(name, f"equal: {name}", lambda header, name=name: bi.rows(f"SELECT {header} FROM bi.{name}"))
             for name in proof.questions]
    tap.proof(f"equal answers {sum(equal)} of {len(equal)}")
    # only what has come lately is looked at, and the rows that are lost here have
    lost = f"FROM bi.lineage WHERE loaded_at > '{landings.NOW - LONG_AGO / 2}'"
    bi.run(f"DELETE {lost}")
    bi.dbt("run", "--select", "lineage", reengage_lookback_days=3)
    tap.ok(bi.rows("SELECT COUNT(*) FROM bi.lineage") == [(count,)], "a run that looks back three days finds what came in them")


def every_road(proof, bi, roads):
    """A node for each road, all in one build: each reconciles, and brought what PostgreSQL has."""
    again = [change for change in proof.changes[-len(proof.changes) // 3:]]
    nodes = {}
    for road in roads:
        schema = f"landing_{road.name}"
        nodes[road.name] = {"schema": schema, "road": road.name}
        bi.make_landing(road, proof.relations, schema)
        bi.land(road, proof.relations, proof.changes + again, schema=schema)
    results = bi.dbt("build", schema="roads", accept=(0, 1), reengage_nodes=nodes, reengage_lineage_as="view")
    proof.built(f"built of {len(roads)} nodes, one by each road, the last third twice", results)
    for road in roads:
        proof.equal("LINEAGE", f"equal by {road.name}: LINEAGE", lambda header, road=road: bi.rows(
            f"SELECT DISTINCT {header} FROM (SELECT * REPLACE (" + ", ".join(
                f"TIMEZONE('UTC', {column}) AS {column}" for column in header.split(", ") if column.endswith("_at"))
            + f", detail::VARCHAR AS detail) FROM roads.landed_lineage WHERE node = '{road.name}')"))
        proof.equal("RECONCILIATION", f"equal by {road.name}: RECONCILIATION", lambda header, road=road: bi.rows(
            f"SELECT {header} FROM roads.reconciliation WHERE node = '{road.name}'"))


def collected(tap, folder, bi, road):
    """Two nodes, by the subscriber that collects them: all in one place, and each is proven by itself."""
    fleet = Proof(folder, tap)
    bi.make_landing(road, fleet.relations, "collected")
    bi.land(road, fleet.relations, fleet.changes, schema="collected")
    fleet.built("built of two nodes in one place", bi.dbt(
        "build", "--indirect-selection", "cautious", "--select", "+threads", "+audit_is_empty", "+reconciliation_is_equal",
        schema="fleet", accept=(0, 1), reengage_nodes="collected", reengage_source_schema="collected", reengage_road=road.name))
    for name in fleet.questions:
        fleet.equal(name, f"equal to what the nodes say: {name}", lambda header, name=name: bi.rows(f"SELECT {header} FROM fleet.{name}"))
    thread = bi.rows("SELECT generation, previous_conversation_id, conversation_id, node, lineage_id, recorded_at::DATE FROM fleet.lineage "
                     "WHERE server = 'north' AND root_conversation_id = 'closed-1' AND outcome = 'session_created' ORDER BY generation")
    chain = ["closed-1", *(row[2] for row in thread)]
    tap.ok([row[:2] for row in thread] == list(enumerate(chain[:3], 1)), "a thread goes on where its server has moved to", thread)
    tap.ok([row[3] for row in thread] == ["a", "a", "b"], "and each session is of the node that created it", thread)
    # a row of one node is lost on the way
    *_, lost, day = thread[-1]
    bi.run(f"DELETE FROM collected.lineage WHERE {landings.member(road, 'lineage_id')} = '{lost}'")
    states = bi.rows("SELECT node, day, state FROM fleet.reconciliation WHERE state NOT IN ('equal', 'equal so far')")
    days = bi.rows("SELECT node, COUNT(*) >= 2 FROM fleet.reconciliation GROUP BY node ORDER BY node")
    tap.ok(states == [("b", day, "rows are missing")] and days == [("a", True), ("b", True)],
           "a row of one is lost: its day differs, and no other of it or of the other node", states, days)
    named = bi.rows("SELECT node, day, column_name, place, SUBSTR(finding, 1, 21) FROM fleet.reconciliation_rows")
    tap.ok(named == [("b", day, "lineage_id", reference.hash_of(lost), "a row is missing here")], "and reconciliation_rows names node, day and place", named)


def canonical_values(proof, bi, landing):
    """The values of test/canonical.jsonl, each in a row."""
    template = next(row for table, row in proof.changes if table == "lineage")
    bi.make_landing(landing, proof.relations, "canonical")
    bi.land(landing, proof.relations, [("lineage", row) for row in vectors.rows_like(template)], schema="canonical")
    bi.dbt("run", "--select", "+row_digests", schema="values_of", reengage_source_schema="canonical")
    vectors.hashes_are_right(proof.tap, "on DuckDB", lambda columns: bi.rows(f"SELECT {columns} FROM values_of.row_digests"))


# ---- planted faults -----------------------------------------------------------------

def plant_faults(proof, bi):
    """Faults in threads of their own, all at once; the package's own tests name each."""
    threads = bi.rows("SELECT root_conversation_id FROM bi.threads WHERE generations >= 3 ORDER BY 1 LIMIT 3")
    doubled, moved, orphan = (
        dict(bi.rows(f"SELECT generation, lineage_id FROM bi.lineage WHERE root_conversation_id = '{root}' AND outcome = 'session_created'"))
        for (root,) in threads)
    strange, = bi.rows("SELECT lineage_id FROM bi.lineage WHERE outcome = 'capped' ORDER BY 1 LIMIT 1")[0]
    settled, = bi.rows("SELECT lineage_id FROM bi.lineage WHERE resolves IS NOT NULL ORDER BY 1 LIMIT 1")[0]
    bi.run(
        f"INSERT INTO landing.lineage SELECT * REPLACE ('elsewhere' AS campaign) FROM landing.lineage WHERE lineage_id = '{doubled[2]}' LIMIT 1",
        f"UPDATE landing.lineage SET generation = 2 WHERE lineage_id = '{moved[3]}'",
        f"DELETE FROM landing.lineage WHERE lineage_id = '{orphan[2]}'",
        f"UPDATE landing.lineage SET outcome = 'vanished' WHERE lineage_id = '{strange}'",
        f"UPDATE landing.lineage SET resolves = '00000000-0000-7000-8000-000000000000' WHERE lineage_id = '{settled}'")
    bi.dbt("run", "--full-refresh")
    results = bi.dbt("test", "--store-failures", accept=(1,))
    failed = {name: result for name, result in results.items() if result["status"] == "fail"}
    faults = [
        ("a row that came twice, and differs", "same_row_each_time_landed_lineage", f"{doubled[2]}', 'campaign "),
        ("a wrong generation", "audit_is_empty", f"'{moved[3]}: is not at generation 2"),
        ("a row whose parent is lost", "parent_is_here_lineage", orphan[3]),
        ("an outcome that nobody knows", "accepted_values_lineage_outcome", "'vanished'"),
        ("a row that is lost", "reconciliation_is_equal", f", {reference.hash_of(orphan[2])}, 'a row is missing here: "),
        ("a row whose copies differ", "reconciliation_is_equal", f"'{doubled[2]}'"),
        ("a row that resolves nobody's doubt", "relationships_lineage_resolves", "00000000-0000-7000-8000-000000000000"),
    ]
    for fault, test, said in faults:
        rows = [str(bi.rows(f"SELECT * FROM {result['relation_name']}")) for name, result in failed.items() if name.startswith(test)]
        proof.tap.ok(any(said in row for row in rows), f"dbt's tests name {fault}", sorted(failed), *rows)
    others = [name for name in failed if not name.startswith(tuple(test for _, test, _ in faults))]
    proof.tap.ok(not others, "and no other test fails", *others)


def main():
    tap = Tap()
    proof = Proof(pathlib.Path(sys.argv[1]), tap)
    bi = Shop(pathlib.Path(sys.argv[2]))
    roads = landings.landings(proof.folder)
    land_messages(proof, bi)
    if sys.argv[3:] == ["roads"]:
        every_road(proof, bi, roads)
        # where all that is said of a column is in JSON, there is most to go wrong
        collected(tap, proof.folder / "fleet", bi, next(road for road in roads if road.name == "kafka"))
        canonical_values(proof, bi, roads[0])
    else:
        in_two_batches(proof, bi, roads[0])
        plant_faults(proof, bi)
    tap.end()


if __name__ == "__main__":
    main()
