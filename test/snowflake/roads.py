"""Brings any text along the roads that can be tried without an account; prints TAP.

    roads.py FOLDER     what source.t left there

Files: read by the documented rules of their format, and compared with PostgreSQL's rows.
Kafka: what Debezium has sent, where source.t had it.  Both are landed in the emulation,
by the files that are shipped for it, compared with PostgreSQL's rows, and reconciled."""

import datetime
import gzip
import json
import pathlib
import re
import sys
import warnings

import bad_input
import csv_rules
import emulation
import statements
from tap import Tap

SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "snowflake"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
TIMES = ("requested_at", "due_at", "checked_at", "called_at", "occurred_at", "recorded_at")


def microseconds(value):
    """Of a time, or of its text in UTC; since 1970."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00").replace(" ", "T"))
    value = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
    return str((value - EPOCH) // datetime.timedelta(microseconds=1))


def json_lines(path):
    # splitlines() knows more line ends
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def canonical(column, value):
    if value is None:
        return None
    if column in TIMES:
        return value if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else microseconds(value)
    if column == "detail":
        return json.dumps(json.loads(value), sort_keys=True)
    return str(value)


def differing(columns, here, there):
    """The columns that are not the same, with an example; both: rows by lineage_id."""
    found = {}
    for key in here.keys() | there.keys():
        if key not in here or key not in there:
            found.setdefault("a row", key)
            continue
        for column, one, other in zip(columns, here[key], there[key]):
            if one != other:
                found.setdefault(column, (one, other))
    return found


def by_id(columns, rows):
    return {row[0]: [canonical(column, value) for column, value in zip(columns, row)] for row in rows}


# ---- files ----------------------------------------------------------------------------


def try_files(tap, folder, columns, wanted):
    """Returns the rows of both files, as they are loaded."""
    copies = {s.text.split()[2].split(".")[-1].lower(): s.text for s in statements.split(SHIPPED / "02_landing_copy.sql")
              if s.text.startswith("COPY INTO")}
    loaded = {}
    for table, statement in copies.items():
        file = folder / "hostile" / f"{table}.csv"
        # PUT compresses, and COPY INTO sees it
        packed = gzip.compress(file.read_bytes())
        text = gzip.decompress(packed).decode("utf-8")
        names = [name.strip().lower() for name in re.search(r"\(([^)]*)\)", statement)[1].split(",")]
        tap.ok(text.split("\n")[0].split(",") == names, f"{table}.csv has the columns that COPY INTO lists", names)
        loaded[table] = (names, csv_rules.read(text, csv_rules.options(statement)))
        if table != "lineage":
            continue
        found = differing(columns, by_id(columns, loaded[table][1]), wanted)
        tap.ok(not found, f"{len(wanted)} rows of a file are what PostgreSQL has, by the rules of the format", found)
        campaigns = {row[columns.index("campaign")] for row in loaded[table][1]}
        tap.ok({"", "\\N", None} <= campaigns, "a null, an empty text and \\N are three", campaigns)
        for option, said in (("ESCAPE_UNENCLOSED_FIELD", r" ESCAPE_UNENCLOSED_FIELD = NONE"), ("NULL_IF", r" NULL_IF = \(\)")):
            without = csv_rules.options(re.sub(said, "", statement))
            spoiled = differing(columns, by_id(columns, csv_rules.read(text, without)), wanted)
            tap.ok("campaign" in spoiled, f"without {option} text would be spoiled: {len(spoiled)} columns", spoiled)
    return loaded


class FilesByRules(emulation.Files):
    """The emulation reads no file here: the rows are those of the reader above."""

    def __init__(self, loaded, folder):
        super().__init__("02_landing_copy.sql", folder)
        self.loaded = loaded

    def make_tables(self, here, relations):
        here.run("CREATE STAGE IF NOT EXISTS REENGAGE_RAW.REENGAGE.FILES")

    def land_all(self, here):
        for table, (names, rows) in self.loaded.items():
            insert(here, table, [name.upper() for name in names], rows)


# ---- Kafka ----------------------------------------------------------------------------


class Events:
    """What Debezium has sent, and again the end of it, as after a restart."""

    def __init__(self, path, lands):
        self.lands = lands
        self.by_table = {}
        for topic, _key, value in json_lines(path):
            if topic.startswith("pg.reengage."):
                self.by_table.setdefault(topic.split(".")[2], []).append(value)
        for rows in self.by_table.values():
            rows.extend(rows[-len(rows) // 3 :])

    def land_all(self, here):
        for table, events in self.by_table.items():
            self.lands(here, table, events)


def as_content(here, table, events):
    insert(here, table, ["RECORD_CONTENT"], [[json.dumps(event)] for event in events], "PARSE_JSON({})")


def as_columns(name):
    def lands(here, table, events):
        names = list(events[0])
        insert(here, table, [name(column) for column in names],
               [[None if event[column] is None else str(event[column]) for column in names] for event in events])

    return lands


def make_content_tables(here):
    for table in ("LINEAGE", "LINEAGE_MANIFEST"):
        here.run(f"CREATE TABLE REENGAGE_RAW.REENGAGE.{table} (RECORD_CONTENT VARIANT, RECORD_METADATA VARIANT)")


KAFKA = SHIPPED / "kafka"
# What Snowflake's connector asks for when it starts, and with which value: None: any.
ASKED_FOR = {"snowflake.validation": "client_side", "snowflake.compatibility.enable.column.identifier.normalization": "true",
             "snowflake.compatibility.enable.autogenerated.table.name.sanitization": "true", "snowflake.enable.schematization": None,
             "snowflake.streaming.classic.offset.migration": None}
NEEDED = ("name", "connector.class", "topics", "snowflake.url.name", "snowflake.user.name", "snowflake.role.name",
          "snowflake.private.key", "snowflake.database.name", "snowflake.schema.name")


def properties(path):
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, value in pairs}


def try_sinks(tap, topics):
    """The sink's files fit the source's, the landing files, and what the connector's documentation demands."""
    source = properties(KAFKA / "debezium-source.properties")
    for name, landing in (("snowflake-sink", "kafka_columns"), ("snowflake-sink-v4-defaults", "kafka_columns_case_sensitive")):
        sink = properties(KAFKA / f"{name}.properties")
        mapped = dict(pair.split(":") for pair in sink["snowflake.topic2table.map"].split(","))
        text = (SHIPPED / f"02_landing_{landing}.sql").read_text()
        made = re.findall(r"CREATE TABLE IF NOT EXISTS REENGAGE_RAW\.REENGAGE\.(\w+) \(\n  (\S+)", text)
        tap.ok(set(mapped) == set(sink["topics"].split(",")) == {f"{source['topic.prefix']}.{t}" for t in source["table.include.list"].split(",")},
               f"{name}: reads the topics of the source", mapped)
        tap.ok(not topics or set(mapped) == topics, f"{name}: which are those that Debezium has filled", topics)
        tap.ok(list(mapped.values()) == [table for table, _ in made], f"{name}: fills the tables of its landing file", made)
        upper = sink["snowflake.compatibility.enable.column.identifier.normalization"] == "true"
        tap.ok({column.startswith('"') for _, column in made} == {not upper}, f"{name}: and names their columns as they are", made)
        missing = [setting for setting in NEEDED if not sink.get(setting)]
        if sink.get("snowflake.streaming.validate.compatibility.with.classic") != "false":
            missing += [setting for setting, value in ASKED_FOR.items() if setting not in sink or value not in (None, sink[setting])]
        tap.ok(not missing, f"{name}: says all that the connector asks for", missing)
        same = [setting for setting in source if setting.endswith("schemas.enable") and sink.get(setting) != source[setting]]
        tap.ok(not same, f"{name}: reads as the source writes", same)


# ---- the emulation ----------------------------------------------------------------------


def insert(here, table, names, rows, spell="{}"):
    picked = ", ".join(spell.format(f"COLUMN{n}") for n in range(1, len(names) + 1))
    here.insert(f"REENGAGE_RAW.REENGAGE.{table.upper()} ({', '.join(names)})", picked, rows)


def run_file(here, name):
    """Without what the emulation has not: JavaScript has a stand-in."""
    for statement in statements.split(SHIPPED / name):
        if not statement.kind and not statement.text.startswith(("CREATE WAREHOUSE", "COPY INTO", "CREATE OR REPLACE FUNCTION")):
            here.run(statement.text)


def try_landing(tap, file, road, columns, wanted, prepare=None):
    with emulation.Emulation() as here:
        run_file(here, "01_schemas.sql")
        here.run("CREATE SCHEMA IF NOT EXISTS REENGAGE_RAW.REENGAGE")
        if prepare:
            prepare(here)
        run_file(here, file)
        road.land_all(here)
        here.run("USE SCHEMA REENGAGE_BI.MODEL")
        here.add_missing_functions()
        run_file(here, "03_lineage.sql")
        run_file(here, "08_reconciliation.sql")
        rows = here.rows(f"SELECT {', '.join(columns)} FROM REENGAGE_BI.MODEL.LINEAGE")
        found = differing(columns, by_id(columns, rows), wanted)
        tap.ok(len(rows) == len(wanted) and not found, f"{file}: {len(columns)} columns of {len(wanted)} rows are equal", found)
        states = here.rows("SELECT STATE, COUNT(*) FROM REENGAGE_BI.MODEL.RECONCILIATION GROUP BY STATE")
        tap.ok({state for state, _ in states} <= set(bad_input.EQUAL), f"{file}: reconciled, {sum(days for _, days in states)} days equal", states)


def main():
    warnings.simplefilter("ignore")
    tap, folder = Tap(), pathlib.Path(sys.argv[1])
    columns = (folder / "hostile" / "lineage.csv").read_text(encoding="utf-8").split("\n")[0].split(",")
    wanted = by_id(columns, json_lines(folder / "rows"))
    loaded = try_files(tap, folder, columns, wanted)
    try_landing(tap, "02_landing_copy.sql", FilesByRules(loaded, folder), columns, wanted)
    landings, events = 1, folder / "events"
    try_sinks(tap, {topic for topic, _, _ in json_lines(events) if topic.startswith("pg.reengage.")} if events.exists() else None)
    if events.exists():
        for file, lands, prepare in (
                ("02_landing_kafka.sql", as_content, make_content_tables),
                ("02_landing_kafka_columns.sql", as_columns(str.upper), None),
                ("02_landing_kafka_columns_case_sensitive.sql", as_columns('"{}"'.format), None)):
            try_landing(tap, file, Events(events, lands), columns, wanted, prepare)
            landings += 1
    tap.proof(f"{len(wanted)} rows with any text, {landings} landings of files and of Debezium's events")
    tap.end()


main()
