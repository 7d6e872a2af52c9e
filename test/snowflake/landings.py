"""The tables that each road fills, in DuckDB, and the rows of a stream in them."""

import datetime
import json

import pyarrow

# DuckDB's types of PostgreSQL's, where a road does not bring a column as text
NUMBERS = {"integer": "BIGINT", "bigint": "BIGINT", "smallint": "BIGINT"}
TIMES = {"timestamptz": "TIMESTAMPTZ"}
JSON = {"jsonb": "JSON"}
NOW = datetime.datetime.now(datetime.timezone.utc)


class Landing:
    """A road: the types that it gives PostgreSQL's, and its own columns with a type
    and a value; loaded_at among them is when a row comes."""

    def __init__(self, name, types, own, loaded_at=None):
        self.name, self.types, self.own, self.loaded_at = name, {**NUMBERS, **types}, own, loaded_at

    def make_tables(self, duckdb, schema, relations):
        duckdb.execute(f"CREATE SCHEMA {schema}")
        for table, columns in relations.items():
            made = [f"{column} {self.types.get(type_, 'VARCHAR')}" for column, type_ in columns.items()]
            made += [f"{column} {type_}" for column, (type_, _) in self.own.items()]
            duckdb.execute(f"CREATE TABLE {schema}.{table} ({', '.join(made)})")

    def land(self, duckdb, schema, relations, changes, at=NOW):
        """changes: tables and rows, in the order of the stream."""
        for table, columns in relations.items():
            rows = [row for name, row in changes if name == table]
            if rows:
                self.insert(duckdb, f"{schema}.{table}", columns, rows, at)

    def insert(self, duckdb, table, columns, rows, at):
        landing = pyarrow.table({column: pyarrow.array([row[column] for row in rows], pyarrow.string()) for column in columns})
        values = [f"{column}::{self.types.get(type_, 'VARCHAR')}" for column, type_ in columns.items()]
        for column, (type_, value) in self.own.items():
            values.append(f"{quoted(moment(type_, at) if column == self.loaded_at else value)}::{type_}")
        duckdb.execute(f"INSERT INTO {table} SELECT {', '.join(values)} FROM landing")


def member(road, column):
    """A column as its road has it, in DuckDB."""
    return f"RECORD_CONTENT->>'$.{column}'" if isinstance(road, Kafka) else column


def moment(type_, at):
    """A time as a road's own column has it; BIGINT: in milliseconds."""
    if type_ == "BIGINT":
        return str(int(at.timestamp() * 1000))
    return (at if type_ == "TIMESTAMPTZ" else at.replace(tzinfo=None)).isoformat()


def quoted(value):
    return "NULL" if value is None else f"'{value}'"


def event(columns, row, at):
    """An event of Debezium, flattened: a timestamptz is text in ISO 8601, numbers are numbers."""
    made = {"__op": "c", "__source_ts_ms": int(at.timestamp() * 1000), "__deleted": "false"}
    for column, type_ in columns.items():
        value = row[column]
        if value is not None and type_ in NUMBERS:
            value = int(value)
        elif value is not None and type_ == "timestamptz":
            value = value.replace(" ", "T").replace("+00", "Z")
        made[column] = value
    return made


class Kafka(Landing):
    """Two columns of JSON."""

    def make_tables(self, duckdb, schema, relations):
        duckdb.execute(f"CREATE SCHEMA {schema}")
        for table in relations:
            duckdb.execute(f"CREATE TABLE {schema}.{table} (RECORD_CONTENT JSON, RECORD_METADATA JSON)")

    def insert(self, duckdb, table, columns, rows, at):
        landing = pyarrow.table({"event": [json.dumps(event(columns, row, at)) for row in rows]})
        duckdb.execute(f"INSERT INTO {table} SELECT event, '{{}}' FROM landing")


class KafkaColumns(Landing):
    """A column for each field."""

    def insert(self, duckdb, table, columns, rows, at):
        rows = [{column: None if value is None else str(value) for column, value in event(columns, row, at).items()} for row in rows]
        super().insert(duckdb, table, columns, rows, at)


class Files(Landing):
    """Files that psql unloaded."""

    def __init__(self, folder):
        super().__init__("copy", TIMES, {"LOADED_AT": ("TIMESTAMPTZ", None)}, "LOADED_AT")
        self.folder = folder

    def insert(self, duckdb, table, columns, rows, at):
        file = self.folder / f"{table.split('.')[1]}.csv"
        if not file.exists():
            super().insert(duckdb, table, columns, rows, at)
            return
        with open(file, encoding="utf-8") as opened:
            names = opened.readline().strip()
        duckdb.execute(f"CREATE TEMPORARY TABLE file AS SELECT {names} FROM {table} WHERE FALSE")
        duckdb.execute(f"COPY file FROM '{file}' (FORMAT csv, HEADER true, NULL '', ALLOW_QUOTED_NULLS false, QUOTE '\"', ESCAPE '\"')")
        duckdb.execute(f"INSERT INTO {table} ({names}, LOADED_AT) SELECT *, {quoted(at.isoformat())}::TIMESTAMPTZ FROM file")
        duckdb.execute("DROP TABLE file")


def landings(folder):
    openflow = ({**TIMES, **JSON}, {
        "_SNOWFLAKE_INSERTED_AT": ("TIMESTAMP", NOW.replace(tzinfo=None).isoformat()),
        "_SNOWFLAKE_UPDATED_AT": ("TIMESTAMP", None),
        "_SNOWFLAKE_DELETED": ("BOOLEAN", "false")}, "_SNOWFLAKE_UPDATED_AT")
    return [
        Landing("openflow", *openflow),
        Landing("openflow_case_sensitive", *openflow),
        Landing("airbyte", TIMES, {
            "_AIRBYTE_RAW_ID": ("VARCHAR", "raw"), "_AIRBYTE_EXTRACTED_AT": ("TIMESTAMPTZ", None),
            "_AB_CDC_LSN": ("BIGINT", "1"), "_AB_CDC_DELETED_AT": ("VARCHAR", None)}, "_AIRBYTE_EXTRACTED_AT"),
        Landing("fivetran", {**TIMES, **JSON}, {
            "_FIVETRAN_SYNCED": ("TIMESTAMPTZ", None), "_FIVETRAN_DELETED": ("BOOLEAN", "false")}, "_FIVETRAN_SYNCED"),
        Landing("peerdb", {**TIMES, **JSON}, {
            "_PEERDB_SYNCED_AT": ("TIMESTAMP", None), "_PEERDB_IS_DELETED": ("BOOLEAN", "false")}, "_PEERDB_SYNCED_AT"),
        Kafka("kafka", {}, {}),
        KafkaColumns("kafka_columns", {}, {
            "__OP": ("VARCHAR", "c"), "__SOURCE_TS_MS": ("BIGINT", None), "__DELETED": ("VARCHAR", "false"),
            "RECORD_METADATA": ("JSON", None)}, "__SOURCE_TS_MS"),
        KafkaColumns("kafka_columns_case_sensitive", {}, {
            "__OP": ("VARCHAR", "c"), "__SOURCE_TS_MS": ("BIGINT", None), "__DELETED": ("VARCHAR", "false"),
            "RECORD_METADATA": ("JSON", None)}, "__SOURCE_TS_MS"),
        Landing("estuary", {**TIMES, **JSON}, {
            "FLOW_PUBLISHED_AT": ("TIMESTAMPTZ", None), '"_meta/op"': ("VARCHAR", "c")}, "FLOW_PUBLISHED_AT"),
        Files(folder),
        Landing("postgres", {**TIMES, **JSON, "uuid": "UUID"}, {}),
    ]
