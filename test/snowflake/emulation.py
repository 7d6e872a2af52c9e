"""A local emulation of Snowflake, spoken to with Snowflake's own connector, and
the ways in which the roads bring rows into it."""

import json
import logging
import pathlib
import re

import fakesnow
import pyarrow
import snowflake.connector

DBT = pathlib.Path(__file__).resolve().parents[2] / "snowflake" / "dbt"
# What the emulation may say about a statement without doing something else
# than Snowflake: comments, and the text of what is not run.
HARMLESS = re.compile(r"Unsupported property|CommentColumnConstraint unsupported")


class Complaints(logging.Handler):
    """Collects what the emulation says it cannot translate."""

    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        if not HARMLESS.search(record.getMessage()):
            self.said.append(record.getMessage())


class Emulation:
    """An empty account."""

    def __enter__(self):
        self.patch = fakesnow.patch()
        self.patch.__enter__()
        self.connection = snowflake.connector.connect()
        self.cursor = self.connection.cursor()
        self.complaints = Complaints()
        logging.getLogger("sqlglot").addHandler(self.complaints)
        return self

    def __exit__(self, *error):
        logging.getLogger("sqlglot").removeHandler(self.complaints)
        self.connection.close()
        self.patch.__exit__(*error)

    def run(self, sql):
        self.cursor.execute(sql)
        if self.complaints.said:
            raise RuntimeError(self.complaints.said[0])
        return self.cursor

    def rows(self, sql):
        return self.run(sql).fetchall()

    def insert(self, into, picked, rows):
        """Inserts what is picked from rows, all text, with the columns COLUMN1 and so on: as
        literals of a statement they would take the emulation a hundred times as long."""
        if not rows:
            return
        given = pyarrow.table({f"COLUMN{n}": pyarrow.array(values, pyarrow.string()) for n, values in enumerate(zip(*rows), 1)})
        self.connection._duck_conn.register("arrow_given", given)
        self.connection._duck_conn.execute("CREATE OR REPLACE TEMPORARY TABLE GIVEN AS SELECT * FROM arrow_given")
        self.connection._duck_conn.unregister("arrow_given")
        self.run(f"INSERT INTO {into} SELECT {picked} FROM GIVEN")

    def set_time_zone(self, zone):
        """Of the session: the emulation has no ALTER SESSION."""
        self.connection._duck_conn.execute(f"SET TimeZone = '{zone}'")

    def add_missing_functions(self):
        """What Snowflake has and the emulation lacks: a function, by its documentation,
        and JavaScript, in whose place the package's own function for DuckDB stands."""
        self.connection._duck_conn.execute(
            "CREATE OR REPLACE MACRO m_d5_number_lower64(s) AS ('0x' || substr(md5(s), 17, 16))::UBIGINT")
        self.connection._duck_conn.execute(canonical_json_for_duckdb())


def canonical_json_for_duckdb():
    text = (DBT / "macros" / "canonical_json.sql").read_text()
    made = re.search(r"\{% macro duckdb__create_canonical_json\(\) -%\}\n(.*?)\n\{%- endmacro %\}", text, re.S)[1]
    return re.sub(r"\{\{.*?\}\}", "canonical_json", made)


def literal(value):
    return "NULL" if value is None else "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


# a message, of which all came as text
MESSAGE = "COLUMN1, COLUMN2, COLUMN3, COLUMN4, CONVERT_TIMEZONE('UTC', COLUMN5::TIMESTAMP_TZ)::TIMESTAMP_NTZ, COLUMN6"


class Road:
    """A connector that makes a column for each column, and adds some of its own.

    types: Snowflake's types of PostgreSQL's, where they are not VARCHAR; own:
    the connector's columns with their types and values."""

    def __init__(self, file, types, own, name=str.upper, schema="REENGAGE_RAW.REENGAGE"):
        self.file, self.own, self.name, self.schema = file, own, name, schema
        self.types = {"bigint": "NUMBER(38, 0)", "integer": "NUMBER(38, 0)", "smallint": "NUMBER(38, 0)", **types}

    def make_tables(self, emulation, relations):
        emulation.run(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
        for table, columns in relations.items():
            made = [f"{self.name(column)} {self.types.get(type_, 'VARCHAR')}" for column, type_ in columns.items()]
            made += [f"{column} {type_}" for column, (type_, _) in self.own.items()]
            emulation.run(f"CREATE TABLE {self.schema}.{self.name(table)} ({', '.join(made)})")

    def land(self, emulation, table, columns, rows):
        picked = [self.cast(f"COLUMN{place}", type_) for place, type_ in enumerate(columns.values(), 1)]
        picked += [f"{value}::{type_}" for type_, value in self.own.values()]
        emulation.insert(f"{self.schema}.{self.name(table)}", ", ".join(picked), [[row[column] for column in columns] for row in rows])

    def cast(self, column, type_):
        target = self.types.get(type_, "VARCHAR")
        return f"PARSE_JSON({column})" if target == "VARIANT" else f"{column}::{target}"


# what the sink knows of a record
PUSHED = """PARSE_JSON('{"topic": "pg", "partition": 0, "offset": 1, "SnowflakeConnectorPushTime": 1767225601234}')"""


class Kafka(Road):
    """Two columns of type VARIANT; a timestamptz is text in ISO 8601, in UTC."""

    def __init__(self, file):
        super().__init__(file, {}, {})

    def make_tables(self, emulation, relations):
        for table in relations:
            emulation.run(f"CREATE TABLE {self.schema}.{table.upper()} (RECORD_CONTENT VARIANT, RECORD_METADATA VARIANT)")

    def land(self, emulation, table, columns, rows):
        emulation.insert(f"{self.schema}.{table.upper()}", f"PARSE_JSON(COLUMN1), {PUSHED}",
                         [[json.dumps(self.event(columns, row))] for row in rows])

    @staticmethod
    def event(columns, row):
        event = {"__op": "c", "__source_ts_ms": 1767225600000, "__deleted": "false"}
        for column, type_ in columns.items():
            value = row[column]
            if value is not None and type_ in ("bigint", "integer", "smallint"):
                value = int(value)
            elif value is not None and type_ == "timestamptz":
                value = iso_8601(value)
            event[column] = value
        return event


class KafkaColumns(Road):
    """A column for each field, but not the order of rows on one cluster; the file of the
    road makes the tables."""

    def make_tables(self, emulation, relations):
        pass

    def land(self, emulation, table, columns, rows):
        names = [column for column in columns if column != "xact_id"]
        into = ", ".join([self.name(column) for column in names] + list(self.own))
        picked = [self.cast(f"COLUMN{place}", columns[column]) for place, column in enumerate(names, 1)]
        picked += [f"{value}::{type_}" for type_, value in self.own.values()]
        rows = [[iso_8601(row[column]) if columns[column] == "timestamptz" else row[column] for column in names] for row in rows]
        emulation.insert(f"{self.schema}.{table.upper()} ({into})", ", ".join(picked), rows)


class Files(Road):
    """Files that psql unloaded; the statements of the road load them."""

    def __init__(self, file, folder):
        super().__init__(file, {}, {})
        self.folder = folder

    def make_tables(self, emulation, relations):
        emulation.run("CREATE STAGE REENGAGE_RAW.REENGAGE.FILES")
        for table in ("lineage", "lineage_manifest"):
            emulation.run(f"PUT file://{self.folder}/{table}.csv @REENGAGE_RAW.REENGAGE.FILES/{table}/")

    def land(self, emulation, table, columns, rows):
        pass


def iso_8601(text):
    return text and text.replace(" ", "T").replace("+00", "Z")


NOW = "CURRENT_TIMESTAMP()"


def roads(folder):
    tz = {"timestamptz": "TIMESTAMP_TZ"}
    openflow = ({"timestamptz": "TIMESTAMP_LTZ", "jsonb": "VARIANT"}, {
        "_SNOWFLAKE_INSERTED_AT": ("TIMESTAMP_NTZ", NOW),
        "_SNOWFLAKE_UPDATED_AT": ("TIMESTAMP_NTZ", NOW),
        "_SNOWFLAKE_DELETED": ("BOOLEAN", "FALSE")})
    return [
        Road("02_landing_openflow.sql", *openflow),
        Road("02_landing_openflow_case_sensitive.sql", *openflow, name='"{}"'.format, schema='REENGAGE_RAW."reengage"'),
        Road("02_landing_airbyte.sql", tz, {
            "_AIRBYTE_RAW_ID": ("VARCHAR", "UUID_STRING()"),
            "_AIRBYTE_EXTRACTED_AT": ("TIMESTAMP_TZ", NOW),
            "_AIRBYTE_META": ("VARIANT", "PARSE_JSON('{}')"),
            "_AIRBYTE_GENERATION_ID": ("NUMBER(38, 0)", "0"),
            "_AB_CDC_LSN": ("NUMBER(38, 0)", "1"),
            "_AB_CDC_DELETED_AT": ("VARCHAR", "NULL")}),
        Road("02_landing_fivetran.sql", {**tz, "jsonb": "VARIANT"}, {
            "_FIVETRAN_SYNCED": ("TIMESTAMP_TZ", NOW), "_FIVETRAN_DELETED": ("BOOLEAN", "FALSE")}),
        Road("02_landing_peerdb.sql", {**tz, "jsonb": "VARIANT"}, {
            "_PEERDB_SYNCED_AT": ("TIMESTAMP_NTZ", NOW), "_PEERDB_IS_DELETED": ("BOOLEAN", "FALSE")}),
        Kafka("02_landing_kafka.sql"),
        KafkaColumns("02_landing_kafka_columns.sql", {}, {
            "__OP": ("VARCHAR", "'c'"), "__SOURCE_TS_MS": ("NUMBER(38, 0)", "1767225600000"), "__DELETED": ("VARCHAR", "'false'"),
            "RECORD_METADATA": ("VARIANT", PUSHED)}),
        KafkaColumns("02_landing_kafka_columns_case_sensitive.sql", {}, {
            '"__op"': ("VARCHAR", "'c'"), '"__source_ts_ms"': ("NUMBER(38, 0)", "1767225600000"), '"__deleted"': ("VARCHAR", "'false'")},
            name='"{}"'.format),
        Road("02_landing_estuary.sql", {**tz, "jsonb": "VARIANT"}, {
            "FLOW_PUBLISHED_AT": ("TIMESTAMP_TZ", NOW), '"_meta/op"': ("VARCHAR", "'c'"), "FLOW_DOCUMENT": ("VARIANT", "PARSE_JSON('{}')")}),
        Files("02_landing_copy.sql", folder),
    ]
