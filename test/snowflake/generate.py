"""Makes the files snowflake/0*.sql from the package of dbt; see generate.

    generate.py FOLDER [--check]     FOLDER: for what dbt leaves

dbt compiles the package for Snowflake, without a connection: nothing in it asks the
database.  The templates in analyses/ become the files; where one of them says
"-- model: NAME", the statement that creates it is put."""

import hashlib
import json
import pathlib
import re
import sys

import dbt_here

SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "snowflake"
PACKAGE = SHIPPED / "dbt"
SUMS = PACKAGE / "generated.sum"
FIRST_LINE = "-- Made from dbt/analyses/{} and the models that it names, by test/snowflake/generate.\n--\n"
VARS = {
    "reengage_raw_sql": True,
    "reengage_source_database": "REENGAGE_RAW",
    "reengage_lineage_as": "view",
    "reengage_threads_as": "dynamic_table",
}


def compiled(folder):
    """What dbt makes of models and templates: their nodes by name."""
    profile = {"type": "snowflake", "account": "none", "user": "none", "password": "none", "role": "none",
               "database": "REENGAGE_BI", "schema": "MODEL", "warehouse": "REENGAGE_WH", "threads": 1}
    dbt_here.run(folder, profile, ["compile", "--no-populate-cache", "--no-introspect"], PACKAGE, VARS)
    nodes = json.loads(next(folder.glob("target_*/manifest.json")).read_text())["nodes"].values()
    return ({node["name"]: node for node in nodes if node["resource_type"] == kind} for kind in ("model", "analysis"))


def plain_names(text):
    """Names as the files have them: of the model by themselves, in upper case."""
    text = re.sub(r"\bREENGAGE_BI\.MODEL\.(\w+)", lambda found: found[1].upper(), text)
    return re.sub(r"\bREENGAGE_RAW\.reengage\.(\w+)", lambda found: "REENGAGE_RAW.REENGAGE." + found[1].upper(), text)


def created(node):
    """The statement that creates a model, after what the model says of itself."""
    lines = node["compiled_code"].strip().splitlines()
    said = next(n for n, line in enumerate(lines) if not line.startswith("--"))
    config, kind, options = node["config"], "VIEW", ""
    if config["materialized"] == "dynamic_table":
        kind = "DYNAMIC TABLE"
        options = (f"\n  TARGET_LAG = '{config['target_lag']}'\n  WAREHOUSE = {config['snowflake_warehouse']}"
                   f"\n  REFRESH_MODE = {config['refresh_mode']}")
    # what follows the first line is for readers of the package
    comment = node["description"].splitlines()[0].replace("'", "''")
    head = f"CREATE OR REPLACE {kind} {node['name'].upper()}{options}\n  COMMENT = '{comment}'\nAS\n"
    return "".join(line + "\n" for line in lines[:said]) + head + "\n".join(lines[said:]) + ";"


def files(models, templates):
    """The files by their paths."""
    for name, template in sorted(templates.items()):
        text = re.sub(r"^-- model: (\w+)$", lambda found: created(models[found[1]]), template["compiled_code"].strip(), flags=re.M)
        yield SHIPPED / f"{name}.sql", FIRST_LINE.format(f"{name}.sql") + plain_names(text) + "\n"


def sums(paths):
    """What sha256sum prints of them."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(SHIPPED.parent)}\n" for path in sorted(paths))


def sources():
    """All that the files are made from."""
    return [PACKAGE / "dbt_project.yml", *(path for folder in ("analyses", "macros", "models") for path in (PACKAGE / folder).rglob("*.*"))]


def main():
    folder, check = pathlib.Path(sys.argv[1]), sys.argv[2:] == ["--check"]
    made = dict(files(*compiled(folder)))
    wrong = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if not check:
        for path in wrong:
            path.write_text(made[path])
        SUMS.write_text(sums([*made, *sources()]))
        return
    if not wrong and SUMS.read_text() != sums([*made, *sources()]):
        wrong = [SUMS]
    for path in sorted(set(SHIPPED.glob("0[2-9]*.sql")) - set(made)):
        print(f"{path.relative_to(SHIPPED.parent)}: dbt/analyses/ has no template of it")
        wrong.append(path)
    for path in (path for path in wrong if path in made or path == SUMS):
        print(f"{path.relative_to(SHIPPED.parent)}: not what the package compiles to; test/snowflake/generate")
    sys.exit(len(wrong) > 0)


if __name__ == "__main__":
    main()
