"""Answers of two databases to one question."""

import csv
import datetime
import decimal
import json
from collections import Counter


def wanted(path):
    """The columns, and the rows, of an answer that PostgreSQL left."""
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    return header, [[None if value == "\\N" else value for value in row] for row in rows]


def compared(header, there, here, title):
    """Are they equal, row by row?  With a title, and what differs, for a test."""
    numeric = [any(isinstance(row[i], (int, float, decimal.Decimal)) and not isinstance(row[i], bool) for row in here)
               for i in range(len(header))]
    here_rows, there_rows = (Counter(tuple(map(canonical, header, row, numeric)) for row in rows) for rows in (here, there))
    only_here, only_there = here_rows - there_rows, there_rows - here_rows
    return (not only_here and not only_there, title,
            header, "only here:", *list(only_here)[:3], "only in PostgreSQL:", *list(only_there)[:3])


def canonical(column, value, is_number):
    """One form for a value, whichever of the two databases it came from."""
    if value is None:
        return None
    if column == "detail" and value.startswith("{"):
        return json.dumps(json.loads(value), sort_keys=True)
    if is_number:
        return format(decimal.Decimal(str(value)).normalize(), "f")
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime.datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S.%f")
        return text.rstrip("0").rstrip(".")
    return str(value)
