"""The contract of the proof, once more and in another language: the canonical text
of a value, the sums of a day, and what they tell of rows that differ.

What docs/replication.md promises of PostgreSQL's digest is written here from that
text alone, so that three that agree (PostgreSQL, the warehouse, this) have read the
same."""

import datetime
import hashlib
import json
import re

PRIME = 2147483647


def leaves(document):
    """The lines of a JSON document, sorted by their code points."""
    lines, open_ = [], [("", document)]
    while open_:
        path, value = open_.pop()
        if isinstance(value, dict) and value:
            open_ += [(f"{path}/{escape(key.replace('~', '~0').replace('/', '~1').replace('=', '~2'))}", inner) for key, inner in value.items()]
        elif isinstance(value, list) and value:
            open_ += [(f"{path}/{place}", inner) for place, inner in enumerate(value)]
        else:
            lines.append(f"{path}={leaf(value)}")
    return sorted(lines)


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def leaf(value):
    if isinstance(value, str):
        return "s" + escape(value)
    if isinstance(value, float):
        # minus zero is zero
        return "d%.16e" % (value or 0.0)
    return json.dumps(value)


def canonical_json(text):
    return "\n".join(leaves(json.loads(text, parse_int=float)))


def canonical(type_, value):
    """The text of a value as PostgreSQL prints it, whose type is one of PostgreSQL's."""
    if value is None:
        return "~n"
    if type_ == "integer":
        return str(int(value))
    if type_ == "timestamptz":
        return value if value.endswith("infinity") else str(microseconds(value))
    text = canonical_json(value) if type_ == "jsonb" else value.lower() if type_ == "uuid" else value
    return text.replace("~", "~t").replace("|", "~p")


def microseconds(text):
    parts = re.fullmatch(r"(\d+)-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:\+00|Z)", text)
    if not parts:
        raise ValueError(f"not a time in UTC: {text}")
    *whole, part = parts.groups()
    time = datetime.datetime(*map(int, whole), int((part or "").ljust(6, "0")))
    return (time - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


def hash_of(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest(), "big") & PRIME


def row_digest(columns, row):
    text = "|".join(canonical(type_, row[column]) for column, type_ in columns.items())
    return int.from_bytes(hashlib.md5(text.encode()).digest(), "big") % 2**48


def column_sums(columns, rows):
    """name:sum:placed of each column, as the manifest has it."""
    said = []
    for column, type_ in columns.items():
        pairs = [(hash_of(canonical("uuid", row["lineage_id"])), hash_of(canonical(type_, row[column]))) for row in rows]
        said.append(f"{column}:{sum(d for _, d in pairs) % PRIME}:{sum(w * d % PRIME for w, d in pairs) % PRIME}")
    return " ".join(said)


def manifest_of(columns, rows):
    """row_count, digest and column_sums of some rows."""
    return len(rows), sum(row_digest(columns, row) for row in rows) % 2**53, column_sums(columns, rows)


def digest_of_1_0(rows):
    """What version 1.0 summed up: 13 columns."""
    names = ("lineage_id", "nudge_id", "server", "outcome", "requested_conversation_id", "conversation_id",
             "previous_conversation_id", "root_conversation_id", "generation", "http_status", "api_calls", "api_calls_saved")
    texts = ["|".join([*("~" if row[name] is None else row[name] for name in names), str(microseconds(row["occurred_at"]))]) for row in rows]
    return sum(int.from_bytes(hashlib.md5(text.encode()).digest(), "big") % 2**48 for text in texts) % 2**53
