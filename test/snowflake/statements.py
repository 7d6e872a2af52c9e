"""The statements that snowflake/ ships, and whether they are Snowflake's SQL.

sqlglot is the parser.  Of streams and tasks it keeps the text unread, and the
options of a dynamic table it reads as any words: for those there is a small
grammar here, made from Snowflake's documentation.
"""

import logging
import re

import sqlglot
from sqlglot import exp

NAME = r"[A-Z][A-Z0-9_.]*"
VALUE = r"(?:'(?:[^']|'')*'|[A-Z0-9_]+)"
OPTIONS = {
    "DYNAMIC TABLE": {
        "TARGET_LAG": r"'\d+ (seconds|minutes|hours|days)'|DOWNSTREAM",
        "WAREHOUSE": NAME,
        "REFRESH_MODE": "AUTO|FULL|INCREMENTAL",
        "INITIALIZE": "ON_CREATE|ON_SCHEDULE",
        "COMMENT": r"'.*'",
    },
    "STREAM": {"APPEND_ONLY": "TRUE|FALSE", "SHOW_INITIAL_ROWS": "TRUE|FALSE", "COMMENT": r"'.*'"},
    "TASK": {"WAREHOUSE": NAME, "SCHEDULE": r"'\d+ (SECONDS|MINUTES|HOURS)'|'USING CRON( \S+){5} \S+'", "COMMENT": r"'.*'"},
}
HEADS = {
    "DYNAMIC TABLE": re.compile(rf"CREATE OR REPLACE DYNAMIC TABLE (?P<name>{NAME})(?P<options>(?:\s+[A-Z_]+ = {VALUE})*)\s+AS\s+(?P<body>.*)", re.S),
    "STREAM": re.compile(rf"CREATE OR REPLACE STREAM (?P<name>{NAME}) ON (?P<on>TABLE|VIEW) (?P<source>{NAME})(?P<options>(?:\s+[A-Z_]+ = {VALUE})*)", re.S),
    "TASK": re.compile(
        rf"CREATE OR REPLACE TASK (?P<name>{NAME})(?P<options>(?:\s+[A-Z_]+ = {VALUE})*)(?:\s+WHEN (?P<when>.*?))?\s+AS\s+(?P<body>.*)", re.S),
    "ALTER TASK": re.compile(rf"ALTER TASK (?P<name>{NAME}) (RESUME|SUSPEND)"),
}
# whatever else the parser makes of a text, it has not read it as a statement
STATEMENTS = (exp.Query, exp.Create, exp.Insert, exp.Merge, exp.Use, exp.Copy, exp.Comment)
# what sqlglot does not know by name, and Snowflake does
KNOWN_FUNCTIONS = {"SYSTEM$STREAM_HAS_DATA", "CANONICAL_JSON"}
END = ";\0"


class Statement:
    """One statement: where it stands, its text, and what kind it is."""

    def __init__(self, file, text):
        self.file, self.text = file, text
        self.kind = next((kind for kind in HEADS if text.startswith((f"CREATE OR REPLACE {kind} ", f"{kind} "))), None)
        self.head = HEADS[self.kind].fullmatch(text) if self.kind else None

    def __str__(self):
        return f"{self.file}: {' '.join(re.split(r'[(]|[A-Z_]+ =', self.text)[0].split()[:8])}"

    @property
    def body(self):
        """What can be run of a dynamic table or a task."""
        return self.head["body"]

    def read_by(self):
        """Who has read all of it: a statement of which the parser keeps a part unread is opaque."""
        if self.complaint():
            return "nobody"
        return "a grammar of ours" if self.kind else "the parser"

    def complaint(self):
        """Why this is not Snowflake's SQL; None if it is."""
        if not self.kind:
            return complaint_about(self.text)
        if not self.head:
            return f"no {self.kind} is made like this"
        found = self.head.groupdict()
        for option, value in re.findall(rf"([A-Z_]+) = ({VALUE})", found.get("options") or ""):
            if not re.fullmatch(OPTIONS[self.kind].get(option, "(?!)"), value, re.S):
                return f"{self.kind}: {option} = {value}"
        for part in ("SELECT " + found["when"] if found.get("when") else None, found.get("body")):
            if part and complaint_about(part):
                return complaint_about(part)
        return None


def complaint_about(text):
    logging.getLogger("sqlglot").disabled = True
    try:
        trees = sqlglot.parse(text, read="snowflake")
    except sqlglot.errors.SqlglotError as error:
        return str(error).splitlines()[0]
    finally:
        logging.getLogger("sqlglot").disabled = False
    if len(trees) != 1:
        return f"{len(trees)} statements"
    if not isinstance(trees[0], STATEMENTS):
        return f"not a statement that the parser reads: {type(trees[0]).__name__}"
    if trees[0].find(exp.Command):
        return "opaque: the parser keeps a part of it unread"
    unknown = {call.name.upper() for call in trees[0].find_all(exp.Anonymous)} - KNOWN_FUNCTIONS
    return f"unknown functions: {sorted(unknown)}" if unknown else None


# Of what a case-sensitive road brings, what is in upper case all the same.
UPPER_CASE = {"openflow": re.compile("_SNOWFLAKE.*|LANDED_.*|MODEL"),
              "kafka": re.compile("LINEAGE(_MANIFEST)?|RECORD_METADATA|LANDED_.*|MODEL")}
# What a road has that is no simple name.
NOT_SIMPLE = {"_meta/op"}


def wrongly_quoted(statement):
    """Names that fit only one of Snowflake's two ways with case.

    What a case-sensitive road brings is quoted, in lower case; all else is not."""
    wrong = []
    case_sensitive = "case_sensitive" in statement.file
    upper = next((names for road, names in UPPER_CASE.items() if road in statement.file and case_sensitive), None)
    for tree in sqlglot.parse(statement.text if not statement.kind else "SELECT 1", read="snowflake"):
        for column in tree.find_all(exp.Column, exp.Table, exp.ColumnDef):
            name = column.this
            if not isinstance(name, exp.Identifier):
                continue
            from_there = upper and not upper.fullmatch(name.name) or name.name in NOT_SIMPLE
            if name.quoted != bool(from_there) or name.quoted and not name.name.islower():
                wrong.append(name.sql("snowflake"))
    return wrong


def split(path):
    """The statements of a file: they end with a semicolon at the end of a line, but
    not within $$."""
    pieces = path.read_text().split("$$")
    for place in range(0, len(pieces), 2):
        plain = "\n".join(line for line in pieces[place].split("\n") if not line.startswith("--"))
        pieces[place] = re.sub(r";\n", END, plain + ("\n" if place == len(pieces) - 1 else ""))
    return [Statement(path.name, part.strip()) for part in "$$".join(pieces).split(END) if part.strip()]
