"""Asks the examples of snowflake/QUESTIONS.md; prints TAP.

    examples.py FOLDER WORK [--write]     FOLDER: what source.t left there; WORK: an empty folder

dbt builds the package on the rows of example.sql, in a project that uses it, and each
query of the document must have the answer that stands below it; --write puts it there.
Then the package's own unit tests are run, which belong to no project that uses it."""

import json
import pathlib
import re
import sys

import duckdb

import dbt_here
import shop
from tap import Tap

DOCUMENT = shop.PACKAGE.parent / "QUESTIONS.md"
EXAMPLE = re.compile(r"(?<=<!-- example -->\n```sql\n)(.*?)(```\n\n```\n)(.*?)(?=^```$)", re.S | re.M)
MESSAGES = "SELECT server, message_id, conversation_id, direction, TIMEZONE('UTC', sent_at) AS sent_at, body FROM chat.messages"
# no answer may depend on it
PROFILE = {"type": "duckdb", "schema": "bi", "threads": 2, "settings": {"TimeZone": "Pacific/Kiritimati"}}
VARIABLES = {"reengage_road": "copy", "reengage_messages": "chat_messages"}


def shown(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value, ".4f").rstrip("0").rstrip(".")
    return str(value)


def table(description, rows):
    """As psql prints it: numbers to the right."""
    names = [column[0].upper() for column in description]
    cells = [[shown(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells)]
    right = [any(isinstance(row[n], (int, float)) for row in rows) for n in range(len(names))]
    lines = [" | ".join(name.ljust(width) for name, width in zip(names, widths))]
    for row in cells:
        lines.append(" | ".join(cell.rjust(width) if is_number else cell.ljust(width)
                                for cell, width, is_number in zip(row, widths, right)))
    return "".join(f" {line}".rstrip() + "\n" for line in lines)


def build(tap, folder, place):
    shop.make_project(place, MESSAGES)
    profile = {**PROFILE, "path": str(place / "shop.duckdb")}
    dbt_here.run(place, profile, ["deps"], place, VARIABLES)
    dbt_here.run(place, profile, ["run-operation", "land_files", "--args", json.dumps({"folder": str(folder)})], place, VARIABLES)
    with duckdb.connect(str(place / "shop.duckdb")) as connection:
        connection.execute("CREATE SCHEMA chat")
        connection.execute("CREATE TABLE chat.messages (message_id VARCHAR, server VARCHAR, conversation_id VARCHAR,"
                           " direction VARCHAR, sent_at TIMESTAMPTZ, body VARCHAR)")
        connection.execute(f"COPY chat.messages FROM '{folder}/messages.csv' (FORMAT csv, HEADER true, NULL '\\N')")
    results = dbt_here.run(place, profile, ["build"], place, VARIABLES, accept=(0, 1))
    bad = [f"{name}: {result['message']}" for name, result in results.items() if result["status"] not in ("success", "pass")]
    tap.ok(results and not bad, f"the example is built: {len(results)} nodes", *bad)
    units = dbt_here.run(place, profile, ["test", "--select", "test_type:unit"], shop.PACKAGE, {"reengage_road": "copy"}, accept=(0, 1))
    for name, result in units.items():
        tap.ok(result["status"] == "pass", f"unit test: {name}", result["message"])
    tap.ok(len(units) > 10, "there are unit tests", len(units))


def main():
    tap = Tap()
    folder, place = pathlib.Path(sys.argv[1]) / "example", pathlib.Path(sys.argv[2])
    build(tap, folder, place)
    text = DOCUMENT.read_text()
    with duckdb.connect(str(place / "shop.duckdb")) as connection:
        def answered(found):
            cursor = connection.execute(found[1].replace("REENGAGE_BI.MODEL.", "bi."))
            description, rows = cursor.description, cursor.fetchall()
            return found[1] + found[2] + table(description, rows)

        asked = list(EXAMPLE.finditer(text))
        tap.ok(len(asked) == text.count("<!-- example -->") > 6, "each example has a place for its answer", len(asked))
        for found in asked:
            answer = answered(found)
            where = f"{DOCUMENT.name}:{text[:found.start()].count(chr(10))}"
            tap.ok(answer == found[0] or "--write" in sys.argv, f"{where}: the answer is as it stands there", answer)
        if "--write" in sys.argv:
            DOCUMENT.write_text(EXAMPLE.sub(answered, text))
    tap.end()


if __name__ == "__main__":
    main()
