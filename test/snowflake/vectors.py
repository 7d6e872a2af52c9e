"""test/canonical.jsonl: each value's text and hash, by all that compute it.

PostgreSQL's own test reads the same file."""

import json
import pathlib
import re
import shutil
import subprocess

import reference

FILE = pathlib.Path(__file__).resolve().parents[1] / "canonical.jsonl"
VECTORS = [json.loads(line) for line in FILE.read_text().splitlines()]
# a column of each type
COLUMN = {"text": "campaign", "uuid": "nudge_id", "integer": "http_status", "timestamptz": "checked_at", "jsonb": "detail"}
CALL = """
const [body, texts] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const canonical = new Function('DETAIL', body);
console.log(JSON.stringify(texts.map(text => canonical(JSON.parse(text)))));
"""


def differing(found, wanted):
    return [f"{vector['value']!r}: {is_!r}, not {should!r}" for vector, is_, should in zip(VECTORS, found, wanted) if is_ != should][:5]


def by_reference(tap):
    """Python, which the others are compared with as well."""
    texts = [reference.canonical(vector["type"], vector["value"]) for vector in VECTORS]
    wrong = differing(texts, [vector["canonical"] for vector in VECTORS])
    wrong += differing([reference.hash_of(vector["canonical"]) for vector in VECTORS], [vector["hash"] for vector in VECTORS])
    tap.ok(not wrong, f"{len(VECTORS)} values as text and hash: in Python", *wrong)


def by_node(tap, function):
    """The body of Snowflake's CANONICAL_JSON, as it is shipped."""
    title = "the body of CANONICAL_JSON: by node"
    if not shutil.which("node"):
        return tap.skip(title, "node is not here")
    body = function.text.split("$$")[1]
    vectors = [vector for vector in VECTORS if vector["type"] == "jsonb" and vector["value"] is not None]
    done = subprocess.run(["node", "-e", CALL], input=json.dumps([body, [vector["value"] for vector in vectors]]),
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return tap.ok(False, title, done.stderr)
    found = [text.replace("~", "~t").replace("|", "~p") for text in json.loads(done.stdout)]
    wrong = [f"{vector['value']}: {text!r}" for vector, text in zip(vectors, found) if text != vector["canonical"]][:5]
    return tap.ok(not wrong, f"{len(vectors)} documents: {title}", *wrong)


def rows_like(template):
    """Rows of lineage that have a value each, and are like another one in all else."""
    return [{**template, "lineage_id": f"00000000-0000-0000-0000-{n:012}", COLUMN[vector["type"]]: vector["value"]}
            for n, vector in enumerate(VECTORS)]


def hashes_are_right(tap, where, ask):
    """ROW_DIGESTS of such rows.  ask: gives the rows of a list of its columns."""
    names = sorted({column.upper() + "_HASH" for column in COLUMN.values()})
    found = {id_: dict(zip(names, hashes)) for id_, *hashes in ask(f"LINEAGE_ID, {', '.join(names)}")}
    numbers = [found[row["lineage_id"]][COLUMN[vector["type"]].upper() + "_HASH"] for row, vector in zip(rows_like({}), VECTORS)]
    wrong = differing(numbers, [vector["hash"] for vector in VECTORS])
    tap.ok(not wrong, f"{len(VECTORS)} values as hash: by ROW_DIGESTS {where}", *wrong)


def by_emulation(tap, here, road, proof):
    columns = proof.relations["lineage"]
    road.make_tables(here, {"vectors": columns})
    road.land(here, "vectors", columns, rows_like(proof.rows_of("lineage")[0]))
    here.run("USE SCHEMA REENGAGE_BI.MODEL")
    for view in proof.landing_views(road.file):
        if "VIEW LANDED_LINEAGE" in view:
            here.run(re.sub(r"(?<=\nFROM ).*", f"{road.schema}.VECTORS", view))
    hashes_are_right(tap, "in the emulation", lambda columns: here.rows(f"SELECT {columns} FROM ROW_DIGESTS"))
    proof.run_file(here, road.file)
