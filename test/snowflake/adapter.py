"""Runs the package with dbt's adapter for Snowflake, on a local emulation; prints TAP.

    adapter.py FOLDER WORK     FOLDER: what source.t left there; WORK: an empty folder

What the adapter puts around the models (CREATE, MERGE, temporary views, the queries of
tests and of freshness) runs here, too, and each answer is compared with PostgreSQL's."""

import contextlib
import json
import logging
import os
import pathlib
import re
import sys
import warnings

import fakesnow.cursor
from dbt.cli.main import dbtRunner

import answers
import emulation
import pgoutput
import shop
from tap import Tap

MESSAGES = "SELECT SERVER, MESSAGE_ID, CONVERSATION_ID, DIRECTION, SENT_AT, BODY FROM REENGAGE_RAW.CHAT.MESSAGES"
CHAT = ["server", "message_id", "conversation_id", "direction", "sent_at", "body"]
TEMPORARY = re.compile(r"\bcreate or replace\s+temporary (view|table)\b", re.I)


FUNCTION = re.compile(r"\bcreate or replace function\b.*\blanguage javascript\b", re.I | re.S)


def as_it_can():
    """The emulation has no temporary view or table in a schema: they stay there.  In
    place of a function in JavaScript it has one of its own already."""
    execute = fakesnow.cursor.FakeSnowflakeCursor.execute
    fakesnow.cursor.FakeSnowflakeCursor.execute = lambda cursor, command, *rest, **named: execute(
        cursor, "SELECT 1" if FUNCTION.search(command) else TEMPORARY.sub(r"create or replace \1", command), *rest, **named)


class Dbt:
    """dbt in this process, where the emulation is."""

    def __init__(self, place):
        self.place = place
        shop.make_project(place, MESSAGES)
        profile = {"type": "snowflake", "account": "none", "user": "none", "password": "none", "role": "none",
                   "database": "REENGAGE_BI", "schema": "MODEL", "warehouse": "REENGAGE_WH", "threads": 1}
        (place / "profiles.yml").write_text(json.dumps({"reengage": {"target": "here", "outputs": {"here": profile}}}))
        os.environ.update({"DBT_TARGET_PATH": str(place / "target"), "DBT_LOG_PATH": str(place / "logs"),
                           "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})
        self("deps")

    def __call__(self, *arguments):
        """The states of what was run, and what was said of that which is not well."""
        variables = {"reengage_source_database": "REENGAGE_RAW", "reengage_messages": "chat_messages"}
        with open(self.place / "said", "w", encoding="utf-8") as said, contextlib.redirect_stdout(said):
            done = dbtRunner().invoke(["--quiet", "--no-use-colors", *arguments, "--project-dir", str(self.place),
                                       "--profiles-dir", str(self.place), "--vars", json.dumps(variables)])
        if done.exception:
            raise done.exception
        results = [result for result in getattr(done.result, "results", []) if result.node.resource_type != "operation"]
        bad = [f"{result.node.name}: {result.message}" for result in results if result.status not in ("success", "pass")]
        return [result.status for result in results], bad


def land(here, road, relations, changes):
    for table, columns in relations.items():
        road.land(here, table, columns, [row for name, row in changes if name == table])


def land_messages(here, changes):
    here.run("CREATE SCHEMA REENGAGE_RAW.CHAT")
    here.run("CREATE TABLE REENGAGE_RAW.CHAT.MESSAGES (SERVER VARCHAR, MESSAGE_ID VARCHAR, CONVERSATION_ID VARCHAR,"
             " DIRECTION VARCHAR, SENT_AT TIMESTAMP_NTZ, BODY VARCHAR)")
    rows = [[row[column] for column in CHAT] for name, row in changes if name == "messages"]
    here.insert("REENGAGE_RAW.CHAT.MESSAGES", emulation.MESSAGE, rows)


def main():
    warnings.simplefilter("ignore")
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    as_it_can()
    tap, folder = Tap(), pathlib.Path(sys.argv[1])
    transactions, relations = pgoutput.decode((folder / "changes").read_text().split())
    changes = [change for transaction in transactions for change in transaction]
    del relations["messages"]
    road = next(road for road in emulation.roads(folder) if road.file == "02_landing_openflow.sql")
    with emulation.Emulation() as here:
        for name in ("REENGAGE_RAW", "REENGAGE_BI"):
            here.run(f"CREATE DATABASE {name}")
        here.run("CREATE SCHEMA REENGAGE_BI.MODEL")
        road.make_tables(here, relations)
        here.run("USE SCHEMA REENGAGE_RAW.REENGAGE")
        travelling = [change for change in changes if change[0] != "messages"]
        half = len(travelling) // 2
        land(here, road, relations, travelling[:half])
        land_messages(here, changes)
        here.run("USE SCHEMA REENGAGE_BI.MODEL")
        here.add_missing_functions()
        dbt = Dbt(pathlib.Path(sys.argv[2]))
        states, bad = dbt("run")
        tap.ok(states and not bad, f"dbt-snowflake runs {len(states)} models", *bad)
        land(here, road, relations, travelling[half // 2:])
        before = here.rows("SELECT COUNT(*) FROM REENGAGE_BI.MODEL.LINEAGE")[0][0]
        states, bad = dbt("build")
        tap.ok(states.count("pass") and not bad, f"and builds them once more, with tests: {len(states)} nodes", *bad)
        after = here.rows("SELECT COUNT(*) FROM REENGAGE_BI.MODEL.LINEAGE")[0][0]
        tap.ok(0 < before < after, "what landed meanwhile has been merged", before, after)
        states, bad = dbt("source", "freshness")
        tap.ok(states == ["pass", "pass"] and not bad, "the sources are fresh", states, *bad)
        equal = []
        for path in sorted(folder.glob("[A-Z]*.csv")):
            header, wanted = answers.wanted(path)
            found = here.rows(f"SELECT {', '.join(header)} FROM REENGAGE_BI.MODEL.{path.stem}")
            equal.append(tap.ok(*answers.compared(header, wanted, found, f"equal: {path.stem}, {len(wanted)} rows")))
        tap.proof(f"equal answers {sum(equal)} of {len(equal)}")
    tap.end()


if __name__ == "__main__":
    main()
