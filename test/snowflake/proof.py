"""Proves what can be proved of snowflake/ without an account; prints TAP.

    proof.py FOLDER     what source.t left there

Parses every statement as Snowflake's, runs what a local emulation can run, on
rows that came through logical replication, and compares each answer with that of
PostgreSQL.  Then plants faults, which audit and reconciliation must name."""

import pathlib
import re
import sys
import warnings
from collections import Counter

import answers
import bad_input
import emulation
import pgoutput
import statements
import vectors
from tap import Tap

SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "snowflake"
SHARED = ["03_lineage.sql", "04_threads.sql", "05_story.sql", "06_questions.sql", "07_audit.sql", "08_reconciliation.sql"]
LANDED = "REENGAGE_RAW.REENGAGE.LINEAGE"
# the emulation rounds the first, which Snowflake cuts off, and takes no notice of formats
LIES = re.compile(r"EPOCH_SECOND|EPOCH_MILLISECOND|TO_(CHAR|VARCHAR)\(")
NOT_SNOWFLAKE = [
    "SELECT COUNT(* FROM LINEAGE",
    "SELECT A FROM T QUALIFY ROW_NUMBER() OVER (PARTITION B ORDER BY C) = 1",
    "SELECT NO_SUCH_FUNCTION(A) FROM T",
    "CREATE OR REPLACE DYNAMIC TABLE D TARGET_LAG = '5 minutes' WAREHOUSE = W REFRESH_MODE = SOMETIMES AS SELECT 1",
    "CREATE OR REPLACE DYNAMIC TABLE D TARGET_LAG = '5 minutes' WAREHOUSE = W AS SELECT FROM WHERE",
    "CREATE OR REPLACE STREAM S ON TABLE T APPEND_MOSTLY = TRUE",
    "CREATE OR REPLACE TASK T WAREHOUSE = W SCHEDULE = '5 MINUTES' AS GARBAGE AS GARBAGE",
    "CREATE OR REPLACE TASK T WAREHOUSE = W SCHEDULE = 'NOW AND THEN' AS SELECT 1",
    "ALTER TASK T GO",
]


def what_runs(statement):
    """The texts that the emulation is given for a statement, and what to call that."""
    head = statement.head
    if statement.kind == "DYNAMIC TABLE":
        return [f"CREATE OR REPLACE VIEW {head['name']} AS {head['body']}"], "run as a view"
    if statement.kind == "TASK":
        return [head["body"]], "run as the body of a task"
    if statement.kind == "STREAM":
        # for what follows: a stream to which everything is new
        return [f"CREATE OR REPLACE VIEW {head['name']} AS SELECT * FROM {head['source']}"], "parsed only"
    if statement.text.startswith("CREATE OR REPLACE FUNCTION"):
        # the emulation has a stand-in; the body is run by node
        return [], "parsed only"
    if statement.kind == "ALTER TASK" or statement.text.startswith("CREATE WAREHOUSE"):
        return [], "parsed only"
    wide = re.match(r"COPY INTO (?P<table>\S+) \((?P<columns>[^)]*,[^)]*)\)", statement.text)
    if wide and wide["columns"].count(",") >= 10:
        # the emulation mixes up the columns of a file where a list has more than ten
        table, columns = wide["table"], wide["columns"]
        return [f"CREATE OR REPLACE TABLE {table}_FILE AS SELECT {columns} FROM {table} WHERE FALSE",
                f"COPY INTO {table}_FILE{statement.text[wide.end():]}",
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}_FILE"], "run without its list of columns"
    return [statement.text], "run as it is"


class Proof:
    """The rows, the statements, and what has been done with them."""

    def __init__(self, folder, tap):
        self.folder, self.tap = folder, tap
        self.transactions, self.relations = pgoutput.decode((folder / "changes").read_text().split())
        self.shipped = {path.name: statements.split(path) for path in sorted(SHIPPED.glob("[0-9]*.sql"))}
        self.fates = {}
        self.questions = sorted(path.stem for path in folder.glob("[A-Z]*.csv"))
        self.asked = self.equal = 0

    # ---- statements -----------------------------------------------------------

    def parse(self):
        parsed = 0
        for statement in sum(self.shipped.values(), []):
            parsed += self.tap.ok(not statement.complaint(), f"parsed: {statement}", statement.complaint())
        wrong = {str(statement): statements.wrongly_quoted(statement) for statement in sum(self.shipped.values(), [])}
        self.tap.ok(not any(wrong.values()), "names from a case-sensitive source are quoted, and no others",
                    *(f"{where}: {names}" for where, names in wrong.items() if names))
        lying = [str(statement) for statement in sum(self.shipped.values(), []) if LIES.search(statement.text)]
        self.tap.ok(not lying, "nothing is used that the emulation does otherwise without a word", *lying)
        for text in NOT_SNOWFLAKE:
            self.tap.ok(statements.Statement("planted", text).complaint(), f"refused: {text}")
        readers = Counter(statement.read_by() for statement in sum(self.shipped.values(), []))
        self.tap.proof(f"parsed {parsed} of {len(sum(self.shipped.values(), []))} statements: {readers['the parser']} by the parser,"
                       f" {readers['a grammar of ours']} by a grammar of ours (and what they run by the parser),"
                       f" {readers['nobody']} opaque or refused")

    def run_file(self, here, name):
        for statement in self.shipped[name]:
            self.run(here, statement)

    def run(self, here, statement):
        """Runs a statement, or what can be run in its place."""
        texts, fate = what_runs(statement)
        try:
            for text in texts:
                here.run(text)
        except Exception as error:  # whatever it is, the statement did not run
            fate = f"failed: {error}"
        if statement not in self.fates or fate.startswith("failed"):
            self.fates[statement] = fate

    def report_runs(self):
        every = sum(self.shipped.values(), [])
        for statement in every:
            fate = self.fates.get(statement, "not tried")
            self.tap.ok(fate != "not tried" and not fate.startswith("failed"), f"{fate.split(':')[0]}: {statement}", fate)
        listed = re.search(r"### What no emulation runs\n.*?```\n(.*?)```", (SHIPPED / "README.md").read_text(), re.S)[1].splitlines()
        otherwise = [str(statement) for statement in every if self.fates.get(statement) != "run as it is"]
        self.tap.ok(sorted(listed) == sorted(otherwise), "README.md lists what no emulation runs as it is",
                    *(f"not listed: {name}" for name in otherwise if name not in listed),
                    *(f"but run: {name}" for name in listed if name not in otherwise))
        counts = Counter(self.fates.get(statement) for statement in every)
        run = {fate: count for fate, count in counts.items() if fate and fate.startswith("run")}
        self.tap.proof(f"run {sum(run.values())} of {len(every)} statements ("
                       + ", ".join(f"{count} {fate}" for fate, count in sorted(run.items())) + f"; {counts['parsed only']} parsed only)")

    # ---- rows --------------------------------------------------------------------

    def rows_of(self, table):
        return [row for transaction in self.transactions for name, row in transaction if name == table]

    def function(self):
        return next(statement for statement in self.shipped["08_reconciliation.sql"] if "LANGUAGE JAVASCRIPT" in statement.text)

    def landing_views(self, file):
        return [statement.text for statement in self.shipped[file] if " VIEW " in statement.text]

    def land(self, here, road):
        """The stream as a connector delivers it that was restarted: the end of it twice."""
        delivered = self.transactions + self.transactions[-len(self.transactions) // 3:]
        for table in ("lineage", "lineage_manifest"):
            rows = [row for transaction in delivered for name, row in transaction if name == table]
            road.land(here, table, self.relations[table], rows)

    def land_messages(self, here):
        rows = self.rows_of("messages")
        columns = ["server", "message_id", "conversation_id", "direction", "sent_at", "body"]
        here.insert("REENGAGE_BI.MODEL.MESSAGES", emulation.MESSAGE, [[row[column] for column in columns] for row in rows])

    # ---- answers -----------------------------------------------------------------

    def answer_is_equal(self, here, name, title=None):
        header, wanted = answers.wanted(self.folder / f"{name}.csv")
        try:
            found = here.rows(f"SELECT {', '.join(header)} FROM REENGAGE_BI.MODEL.{name}")
        except Exception as error:
            return self.tap.ok(False, f"answered: {name}", error)
        return self.tap.ok(*answers.compared(header, wanted, found, title or f"equal: {name}, {len(wanted)} rows"))

    def ask_everything(self, here):
        for name in self.questions:
            self.asked += 1
            self.equal += self.answer_is_equal(here, name)
        self.tap.proof(f"equal answers {self.equal} of {self.asked}: {len(self.transactions)} transactions"
                       f" with {sum(map(len, self.transactions))} rows by pgoutput")


# ---- planted faults -----------------------------------------------------------------

COPY_OF_A_ROW = f"INSERT INTO {LANDED} SELECT * REPLACE ({{}}) FROM KEPT WHERE LINEAGE_ID = '{{}}'"


def plant_faults(tap, here):
    """Each fault is planted in what landed, found, and taken away again."""
    here.run("USE SCHEMA REENGAGE_BI.MODEL")
    here.run(f"CREATE TABLE KEPT AS SELECT * FROM {LANDED}")
    root = "closed-13"
    third, session, middle = here.rows(
        f"SELECT LINEAGE_ID, CONVERSATION_ID, PREVIOUS_CONVERSATION_ID FROM LINEAGE WHERE ROOT_CONVERSATION_ID = '{root}' AND GENERATION = 3")[0]
    (leaf,) = here.rows(f"SELECT TIP_CONVERSATION_ID FROM THREADS WHERE ROOT_CONVERSATION_ID = '{root}'")[0]
    of_third = f"WHERE LINEAGE_ID = '{third}'"
    another = COPY_OF_A_ROW.format
    faults = [
        ("a lost row", f"DELETE FROM {LANDED} {of_third}", {"rows are missing"}, None),
        ("a row under another id", another("UUID_STRING() AS LINEAGE_ID", third), {"more rows than counted"}, None),
        ("a changed row", f"UPDATE {LANDED} SET HTTP_STATUS = 299 {of_third}", {"a row differs"}, None),
        ("a wrong root", f"UPDATE {LANDED} SET ROOT_CONVERSATION_ID = 'nobody' {of_third}", {"a row differs"}, {"wrong place"}),
        ("a wrong generation", f"UPDATE {LANDED} SET GENERATION = 2 {of_third}", {"a row differs"}, {"wrong place"}),
        ("a cycle", another(f"UUID_STRING() AS LINEAGE_ID, '{leaf}' AS PREVIOUS_CONVERSATION_ID, '{middle}' AS CONVERSATION_ID", third),
         {"more rows than counted"}, {"cycle"}),
        ("a fork", another("UUID_STRING() AS LINEAGE_ID, 'elsewhere' AS CONVERSATION_ID", third), {"more rows than counted"}, {"fork"}),
        ("a root that follows another", another(
            f"UUID_STRING() AS LINEAGE_ID, 'before' AS PREVIOUS_CONVERSATION_ID, '{root}' AS CONVERSATION_ID, 'before' AS ROOT_CONVERSATION_ID,"
            " 1 AS GENERATION", third), {"more rows than counted"}, {"root has a predecessor"}),
        ("a thread without an end", another("UUID_STRING() AS LINEAGE_ID, 95 AS GENERATION", third), {"more rows than counted"}, {"too deep"}),
    ]
    for name, fault, states, findings in faults:
        here.run(fault)
        if name == "a lost row":
            place = here.rows(f"SELECT GENERATION FROM CONVERSATIONS WHERE ROOT_CONVERSATION_ID = '{root}' AND CONVERSATION_ID = '{session}'")
            tap.ok(place == [(3,)], "a conversation whose row is lost keeps its place in the story", place)
        found = {row[0] for row in here.rows("SELECT STATE FROM RECONCILIATION")} - set(bad_input.EQUAL)
        said = {row[0] for row in here.rows("SELECT FINDING FROM AUDIT")}
        tap.ok(found == states, f"reconciliation finds {name}", found)
        if findings is not None:
            tap.ok(findings <= said, f"the audit finds {name}", said)
        here.run(f"DELETE FROM {LANDED}")
        here.run(f"INSERT INTO {LANDED} SELECT * FROM KEPT")
    before = here.rows("SELECT SUM(DUPLICATES_REMOVED) FROM RECONCILIATION")[0][0]
    tap.ok(before > 0, "rows that landed twice are counted", before)
    here.run(f"INSERT INTO {LANDED} SELECT * FROM KEPT {of_third}")
    after = here.rows("SELECT SUM(DUPLICATES_REMOVED), COUNT_IF(STATE NOT LIKE 'equal%') FROM RECONCILIATION")[0]
    copies = here.rows(f"SELECT COUNT(*) FROM KEPT {of_third}")[0][0]
    tap.ok(after == (before + copies, 0), "and one more is, and does no harm", after)
    here.run("DELETE FROM REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST")
    tap.ok({row[0] for row in here.rows("SELECT STATE FROM RECONCILIATION")} == {"not closed"}, "days without a manifest are not closed")


def store(proof, tap, here):
    """The variant with a table: the task's MERGE stores what is new, once."""
    merge = next(s for s in proof.shipped["09_stream_and_task.sql"] if s.kind == "TASK")
    proof.run_file(here, "09_stream_and_task.sql")
    proof.answer_is_equal(here, "LINEAGE", "equal: LINEAGE, from the table that the task fills")
    proof.answer_is_equal(here, "THREADS", "equal: THREADS, from the table that the task fills")
    here.run("DELETE FROM REENGAGE_BI.MODEL.LINEAGE_STORED WHERE OUTCOME = 'notified'")
    lost = here.rows("SELECT COUNT(*) FROM REENGAGE_BI.MODEL.NUDGES")[0][0]
    stored = here.rows(merge.body)[0][0]
    tap.ok(stored > 0 and here.rows("SELECT COUNT(*) FROM REENGAGE_BI.MODEL.NUDGES")[0][0] > lost, "the task stores what is not there", stored)
    proof.answer_is_equal(here, "LINEAGE", "equal: LINEAGE, after the task")
    tap.ok(here.rows(merge.body)[0][0] == 0, "a second run of the task stores nothing")


def raises(here, text):
    try:
        here.run(text)
    except RuntimeError:
        return True
    finally:
        here.complaints.said.clear()
    return False


def two_nodes(proof, tap, here, road):
    """A second node, which began as a copy of the first: the landing views united, as README.md says."""
    for table in ("LINEAGE", "LINEAGE_MANIFEST"):
        here.run(f"CREATE TABLE REENGAGE_RAW.REENGAGE.{table}_TWO AS SELECT * FROM REENGAGE_RAW.REENGAGE.{table}")
    for view in proof.landing_views(road.file):
        query = view[view.index("SELECT"):].replace("'ONE'", "'TWO'")
        here.run(f"{view}\nUNION ALL\n{query}_TWO")
    proof.answer_is_equal(here, "LINEAGE", "equal: LINEAGE, of two nodes with the same rows")
    (lost,) = here.rows("SELECT MIN(LINEAGE_ID) FROM REENGAGE_RAW.REENGAGE.LINEAGE")[0]
    here.run(f"DELETE FROM REENGAGE_RAW.REENGAGE.LINEAGE_TWO WHERE LINEAGE_ID = '{lost}'")
    states = Counter((node, "equal" if state in bad_input.EQUAL else state)
                     for node, state in here.rows("SELECT NODE, STATE FROM REENGAGE_BI.MODEL.RECONCILIATION"))
    tap.ok(set(states) == {("ONE", "equal"), ("TWO", "equal"), ("TWO", "rows are missing")} and states["TWO", "rows are missing"] == 1,
           "each node is reconciled by itself", states)
    proof.run_file(here, road.file)


def other_case(proof, tap, here, road):
    """The names of JSON's members in upper case, where a path is case-sensitive: nothing is found by them."""
    columns = proof.relations["lineage"]
    here.run(f"DELETE FROM {LANDED}")
    road.land(here, "lineage", {column.upper(): type_ for column, type_ in columns.items()},
              [{column.upper(): value for column, value in row.items()} for row in proof.rows_of("lineage")])
    states = {row[0] for row in here.rows("SELECT STATE FROM RECONCILIATION WHERE ROWS_COUNTED > 0")}
    tap.ok(states == {"rows are missing"}, "named: members of JSON in upper case, where lower case is looked for", states)


def main():
    warnings.simplefilter("ignore")
    tap = Tap()
    folder = pathlib.Path(sys.argv[1])
    proof = Proof(folder, tap)
    proof.parse()
    roads = emulation.roads(folder)
    for road in roads:
        with emulation.Emulation() as here:
            proof.run_file(here, "01_schemas.sql")
            road.make_tables(here, proof.relations)
            proof.run_file(here, road.file)
            here.run("USE SCHEMA REENGAGE_RAW.REENGAGE")
            proof.land(here, road)
            here.run("USE SCHEMA REENGAGE_BI.MODEL")
            here.add_missing_functions()
            main_road = road is roads[0]
            for name in SHARED:
                proof.run_file(here, name)
            if not main_road:
                proof.answer_is_equal(here, "LINEAGE", f"equal by {road.file}: LINEAGE")
                proof.answer_is_equal(here, "RECONCILIATION", f"equal by {road.file}: RECONCILIATION")
                if isinstance(road, emulation.Kafka):
                    other_case(proof, tap, here, road)
                continue
            documented = here.rows("SELECT MD5_NUMBER_LOWER64('Snowflake')")[0][0]
            tap.ok(documented == 9203306159527282910, "MD5_NUMBER_LOWER64 is as documented", documented)
            tap.ok(raises(here, "SELECT TO_CHAR(OCCURRED_AT, 'YYYY') FROM LINEAGE"), "what the emulation cannot translate is an error")
            proof.land_messages(here)
            proof.ask_everything(here)
            store(proof, tap, here)
            proof.run_file(here, "03_lineage.sql")
            two_nodes(proof, tap, here, road)
            vectors.by_reference(tap)
            vectors.by_node(tap, proof.function())
            vectors.by_emulation(tap, here, road, proof)
            bad_input.BadInput(proof, tap, here, road).run()
            plant_faults(tap, here)
    proof.report_runs()
    tap.end()


main()
