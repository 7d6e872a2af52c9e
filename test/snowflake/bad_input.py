"""What roads do to rows, planted in what landed: each must be named by the
reconciliation, with its state, its columns and its row.

Every fault has a node of its own, which lands the same rows; so all of them are
looked at in one query, and each node is reconciled by itself.  What PostgreSQL
counted is what it sent, or, where it is to have counted less, what reference.py does."""

import re

import emulation
import reference

MODEL = "REENGAGE_BI.MODEL"
ROWS, MANIFEST = f"{MODEL}.FAULTY_LINEAGE", f"{MODEL}.FAULTY_MANIFEST"
ANOTHER_ID = "0192b3c4-d5e6-7f01-8a2b-3c4d5e6f7081"
EQUAL = ("equal", "equal so far")
TIMES = ["requested_at", "due_at", "checked_at", "called_at", "occurred_at"]
DAY_OF = "TO_DATE(CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ)"

# findings
DIFFERS, SEVERAL = "its value differs", "the value of more than one row differs"
MISSING = "a row is missing here: reengage.find_lineage(day, place) finds it where it was counted"
ADDED = "this row was not counted: it came late, or is there twice"
ANOTHER = "this row was not counted, or not under this id: reengage.find_lineage(day, place) finds the other one where it was counted"
ONE_BY_ONE = ": compare them one by one, by ROW_DIGESTS"


class Fault:
    """What is done, and what must be said of the day: its state, the columns that
    differ, and of each row (column, id, finding); without a state all stays equal.

    counted: the rows of the day that PostgreSQL is to have counted, and up to when."""

    def __init__(self, name, *statements, state=None, columns=None, rows=(), counted=None):
        self.name, self.statements = name, statements
        self.state, self.columns, self.rows, self.counted = state, columns, set(rows), counted


def set_to(where, **values):
    """Other values in the rows of a node (NODE stands for it)."""
    return f"UPDATE {ROWS} SET {', '.join(f'{column} = {value}' for column, value in values.items())} WHERE NODE = 'NODE' AND {where}"


def differs(name, where, id_, **values):
    """Other values in one row, or, without an id, in many."""
    rows = [(column, id_, DIFFERS if id_ else SEVERAL) for column in values]
    return Fault(name, set_to(where, **values), state="a row differs", columns=", ".join(values), rows=rows)


def another(column, type_):
    """Another value of a column, whatever it is."""
    return {
        "integer": f"COALESCE({column}, 0) + 1",
        "timestamptz": f"COALESCE(DATEADD(MICROSECOND, 1, {column}), '2026-01-01 00:00:00 +00:00'::TIMESTAMP_TZ)",
        "jsonb": "PARSE_JSON('{\"another\": true}')",
        "uuid": f"CASE {column} WHEN '{ANOTHER_ID}' THEN NULL ELSE '{ANOTHER_ID}' END",
        "text": f"COALESCE({column}, '') || 'x'",
    }[type_]


class Day:
    """The day that faults are planted in, and some of its rows."""

    def __init__(self, proof):
        self.columns = {column: type_ for column, type_ in proof.relations["lineage"].items() if column != "xact_id"}
        every = {row["lineage_id"]: row for row in proof.rows_of("lineage")}.values()
        self.hostile = next(row for row in every if row["campaign"] and row["campaign"].startswith("hostile "))
        self.name = self.hostile["recorded_at"][:10]
        self.rows = sorted((row for row in every if row["recorded_at"][:10] == self.name), key=lambda row: row["recorded_at"])
        self.row = next(row for row in self.rows if row["nudge_id"] and row["campaign"])
        self.other = next(row for row in self.rows if row["nudge_id"] and row["campaign"] not in (None, self.row["campaign"]))
        self.id, self.one = self.row["lineage_id"], f"LINEAGE_ID = '{self.row['lineage_id']}'"
        self.place = reference.hash_of(self.id)
        self.odd_id, self.odd = self.hostile["lineage_id"], f"LINEAGE_ID = '{self.hostile['lineage_id']}'"
        self.all = f"{DAY_OF} = '{self.name}'"

    def each_column(self):
        """One column of one row has another value, for each column."""
        for column, type_ in self.columns.items():
            id_, finding = self.id, DIFFERS
            if column == "lineage_id":
                id_, finding = ANOTHER_ID, f"{ANOTHER}: {self.place}"
            yield Fault(f"another {column}", set_to(self.one, **{column: another(column, type_)}),
                        state="a row differs", columns=column, rows=[(column, id_, finding)])

    def of_rows(self):
        """Rows that are missing, doubled, added, late."""
        lost = f"DELETE FROM {ROWS} WHERE NODE = 'NODE' AND {self.one}"
        other = f"LINEAGE_ID = '{self.other['lineage_id']}'"
        copy = f"INSERT INTO {ROWS} SELECT * REPLACE ({{}}) FROM {ROWS} WHERE NODE = 'NODE' AND {self.one}"
        named = [("lineage_id", None, f"{MISSING}: {self.place}")]
        yield Fault("a missing row", lost, state="rows are missing", rows=named)
        yield Fault("two missing rows", lost, f"DELETE FROM {ROWS} WHERE NODE = 'NODE' AND {other}",
                    state="rows are missing", rows=[("lineage_id", None, f"2 rows are missing{ONE_BY_ONE}")])
        yield Fault("an added row", copy.format(f"'{ANOTHER_ID}' AS LINEAGE_ID"),
                    state="more rows than counted", rows=[("lineage_id", ANOTHER_ID, ADDED)])
        yield Fault("two added rows", copy.format(f"'{ANOTHER_ID}' AS LINEAGE_ID"), copy.format("UUID_STRING() AS LINEAGE_ID"),
                    state="more rows than counted", rows=[("lineage_id", None, f"2 more rows than counted{ONE_BY_ONE}")])
        yield Fault("a late row", counted=([row for row in self.rows if row is not self.row], None),
                    state="more rows than counted", rows=[("lineage_id", self.id, ADDED)])
        yield Fault("a doubled row", copy.format("NODE AS NODE"))
        # whichever of the two is taken, both are known to be there
        yield Fault("a doubled row, whose copies differ", copy.format("'x' AS CAMPAIGN, DATEADD(DAY, 1, _SNOWFLAKE_UPDATED_AT) AS _SNOWFLAKE_UPDATED_AT"),
                    state="equal", rows=[(None, self.id, "its copies differ")])
        yield Fault("a missing row, and another that differs", lost, set_to(other, campaign="CAMPAIGN || 'x'"),
                    state="rows are missing", rows=[*named, ("campaign", None, "its value differs in another row, too")])

    def of_values(self):
        """Values that are swapped, cut, or of another row."""
        ids, campaigns = (self.id, self.other["lineage_id"]), [emulation.literal(row["campaign"]) for row in (self.other, self.row)]
        yield differs("a column pair swapped in a row", self.one, self.id, conversation_id="CAMPAIGN", campaign="CONVERSATION_ID")
        yield Fault("a column pair swapped", set_to(self.all, conversation_id="CAMPAIGN", campaign="CONVERSATION_ID"),
                    state="a row differs", columns="conversation_id, campaign",
                    rows=[("conversation_id", None, "has the values of campaign"), ("campaign", None, "has the values of conversation_id")])
        yield Fault("values swapped between two rows",
                    set_to(f"LINEAGE_ID IN {ids}", campaign=f"CASE WHEN {self.one} THEN {campaigns[0]} ELSE {campaigns[1]} END"),
                    state="a row differs", columns="campaign",
                    rows=[("campaign", ids[0], f"has the value of {ids[1]}"), ("campaign", ids[1], f"has the value of {ids[0]}")])
        yield differs("a truncated text", self.one, self.id, conversation_id="LEFT(CONVERSATION_ID, LENGTH(CONVERSATION_ID) - 1)")
        yield differs("texts truncated in every row", self.all, None, conversation_id="LEFT(CONVERSATION_ID, 6)")
        yield differs("a number of every row lost", self.all, None, api_calls="0")
        yield Fault("ids in upper case", set_to("TRUE", nudge_id="UPPER(NUDGE_ID)"))

    def of_texts(self):
        """Texts as careless formats have them."""
        changes = {
            "backslashes lost": {"campaign": "REPLACE(CAMPAIGN, '\\\\', '')"},
            "backslashes doubled": {"campaign": "REPLACE(CAMPAIGN, '\\\\', '\\\\\\\\')"},
            "quotes doubled": {"campaign": "REPLACE(CAMPAIGN, '\"', '\"\"')"},
            "blanks at the end lost": {"campaign": "RTRIM(CAMPAIGN)"},
            "line feeds of another system": {"campaign": "REPLACE(CAMPAIGN, '\\n', '\\r\\n')"},
            "an accent composed": {"campaign": "REPLACE(CAMPAIGN, 'u\u0308', '\u00fc')"},
            "a character of four bytes lost": {"campaign": "REPLACE(CAMPAIGN, '\U0001f44d', '?')"},
            "letters in upper case": {"campaign": "UPPER(CAMPAIGN)"},
            "null taken for an empty text": {"reason": "COALESCE(REASON, '')"},
            "null taken for its name": {"reason": "COALESCE(REASON, 'null')"},
            "null taken for the sign of null": {"reason": "COALESCE(REASON, '~n')"},
        }
        for name, change in changes.items():
            yield differs(name, self.odd, self.odd_id, **change)
        # of the files that PostgreSQL writes the emulation takes an empty text for null, so that none is sent
        counted = [{**row, "status_seen": ""} if row is self.hostile else row for row in self.rows], None
        yield Fault("an empty text", set_to(self.odd, status_seen="''"), state="equal", counted=counted)
        yield Fault("an empty text taken for null", state="a row differs", columns="status_seen",
                    rows=[("status_seen", self.odd_id, DIFFERS)], counted=counted)

    def of_json(self):
        """What a road may do to JSON, and what not: of beyond.sql's
        {"a": 12345678901234567890.1, "z": {"a": "\\\\ \\n ~|", "b": [1.5, null, "x"]}}."""
        text, list_, number = r'"\\ \n ~|"', '[1.5, null, "x"]', "12345678901234567890.1"
        made = '{{"a": {}, "z": {{"a": {}, "b": {}}}}}'.format
        same = {
            "JSON re-ordered": f'{{"z": {{"b": {list_}, "a": {text}}}, "a": {number}}}',
            "JSON with other white space": f' {{\n"a":{number},"z":{{"a":{text},"b":[1.5,null,"x"]}}}}',
            "JSON with other escapes": made(number, r'"\u005c \u000a \u007e|"', list_),
            "JSON with numbers of another scale": made(number + "00", text, '[1.50, null, "x"]'),
        }
        other = {
            "a member of JSON lost": f'{{"a": {number}, "z": {{"a": {text}}}}}',
            "an array of JSON in another order": made(number, text, '[null, 1.5, "x"]'),
            "a backslash of JSON lost": made(number, r'" \n ~|"', list_),
            "a number of JSON as text": made(f'"{number}"', text, list_),
            "a null of JSON lost": made(number, text, '[1.5, "x"]'),
        }
        for name, json in same.items():
            yield Fault(name, set_to(self.odd, detail=f"PARSE_JSON({emulation.literal(json)})"))
        for name, json in other.items():
            yield differs(name, self.odd, self.odd_id, detail=f"PARSE_JSON({emulation.literal(json)})")
        yield differs("JSON taken for null", self.odd, self.odd_id, detail="NULL")

    def of_times(self):
        """Times in another zone, and cut."""
        yield differs("a time in another zone", self.one, self.id, due_at="DATEADD(HOUR, -5, DUE_AT)")
        yield differs("times in another zone, but recorded_at", self.all, None,
                      **{column: f"DATEADD(HOUR, -5, {column})" for column in ("requested_at", "due_at", "occurred_at")})
        yield differs("times cut to milliseconds", self.all, None,
                      **{column: f"DATEADD(MICROSECOND, -1 * MOD(DATE_PART(EPOCH_MICROSECOND, {column}), 1000), {column})"
                         for column in ("requested_at", "due_at")})

    def of_parts(self):
        """A part of the day is compared as far as it was counted; a day of version 1.0 in 13 columns."""
        up_to = self.hostile["recorded_at"]
        before = [row for row in self.rows if row["recorded_at"] < up_to]
        after = [row for row in self.rows if row["recorded_at"] >= up_to]
        lost = f"DELETE FROM {ROWS} WHERE NODE = 'NODE' AND LINEAGE_ID = '{{}}'".format
        yield Fault("a part", state="equal so far", counted=(before, up_to))
        yield Fault("a part, and a row beyond it is missing", lost(after[0]["lineage_id"]), state="equal so far", counted=(before, up_to))
        yield Fault("a part, and a row of it is missing", lost(self.id), state="rows are missing", counted=(before, up_to),
                    rows=[("lineage_id", None, f"{MISSING}: {self.place}")])
        of_1_0 = (self.rows, "1.0")
        yield Fault("a day of version 1.0", state="equal", counted=of_1_0)
        yield Fault("a day of version 1.0, another number", set_to(self.one, http_status="299"), state="a row differs", counted=of_1_0)
        # why 1.1 counts 32
        yield Fault("a day of version 1.0, another campaign", set_to(self.one, campaign="'x'"), state="equal", counted=of_1_0)

    def faults(self):
        groups = (self.each_column, self.of_rows, self.of_values, self.of_texts, self.of_json, self.of_times, self.of_parts)
        return [Fault("nothing"), *(fault for group in groups for fault in group())]


class BadInput:
    """The faults, each in what a node of its own has landed."""

    def __init__(self, proof, tap, here, road):
        self.proof, self.tap, self.here, self.road = proof, tap, here, road
        self.day = Day(proof)

    def land(self, faults):
        """A node for each fault, with all rows once, and the manifest."""
        here = self.here
        here.run(f"CREATE OR REPLACE TABLE {MODEL}.NODES (NODE VARCHAR)")
        here.run(f"INSERT INTO {MODEL}.NODES VALUES {', '.join(f'({emulation.literal(fault.name)})' for fault in faults)}")
        for table, made, key in (("LINEAGE", ROWS, "LINEAGE_ID"), ("LINEAGE_MANIFEST", MANIFEST, "MANIFEST_ID")):
            here.run(f"CREATE OR REPLACE TABLE {made} AS SELECT N.NODE, L.* FROM {MODEL}.NODES N CROSS JOIN (SELECT * FROM"
                     f" {self.road.schema}.{table} QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {key}) = 1) L")
        for view in self.proof.landing_views(self.road.file):
            landed = MANIFEST if "LANDED_MANIFEST" in view else ROWS
            here.run(re.sub(r"(?<=\nFROM ).*", landed, view).replace("'ONE' AS NODE", "NODE"))
        for fault in faults:
            for statement in (*self.counted(fault), *fault.statements):
                here.run(statement.replace("'NODE'", emulation.literal(fault.name)))

    def counted(self, fault):
        """The manifest of the day, where PostgreSQL is to have counted something else."""
        if fault.counted:
            rows, up_to = fault.counted
            count, digest, sums = reference.manifest_of(self.day.columns, rows)
            if up_to == "1.0":
                digest, sums, up_to = reference.digest_of_1_0(rows), None, None
            yield (f"UPDATE {MANIFEST} SET ROW_COUNT = {count}, DIGEST = {digest}, COLUMN_SUMS = {emulation.literal(sums)},"
                   f" UP_TO = {emulation.literal(up_to)}::TIMESTAMP_TZ WHERE NODE = 'NODE' AND DAY = '{self.day.name}'")

    def what_is_said(self):
        """Of each node and day: state, columns and rows."""
        said = {(node, str(day)): (state, columns, set()) for node, day, state, columns in self.here.rows(
            f"SELECT NODE, DAY, STATE, COLUMNS_DIFFER FROM {MODEL}.RECONCILIATION")}
        for node, day, column, id_, place, finding in self.here.rows(
                f"SELECT NODE, DAY, COLUMN_NAME, LINEAGE_ID, PLACE, FINDING FROM {MODEL}.RECONCILIATION_ROWS"):
            said[node, str(day)][2].add((column, id_, f"{finding}: {place}" if finding in (MISSING, ANOTHER) else finding))
        return said

    def run(self):
        faults = self.day.faults()
        self.land(faults)
        said = self.what_is_said()
        good = {day: state for (node, day), (state, *_) in said.items() if node == "nothing"}
        self.tap.ok(set(good.values()) <= set(EQUAL), "where nothing is planted all days are equal", good)
        covered = 0
        for fault in faults:
            wanted = {day: (state, None, set()) for day, state in good.items()}
            if fault.state:
                wanted[self.day.name] = (good[self.day.name] if fault.state == "equal" and not fault.counted else fault.state,
                                         fault.columns, fault.rows)
            found = {day: what for (node, day), what in said.items() if node == fault.name}
            passed = self.tap.ok(found == wanted, f"{fault.state or 'equal'}: {fault.name}", f"found: {found}", f"wanted: {wanted}")
            covered += passed and fault.name.startswith("another ")
        self.tap.proof(f"columns covered {covered} of {len(self.day.columns)}: another value in one row is named, column and row")
        self.tap.ok(covered == len(self.day.columns) == 32, "each column is covered", covered)
        self.sums_are_equal()
        self.covers()
        self.other_zones()
        self.proof.run_file(self.here, self.road.file)

    def sums_are_equal(self):
        """What PostgreSQL has counted of the day, and what is counted here from what was sent."""
        newest = max((row for row in self.proof.rows_of("lineage_manifest") if row["day"] == self.day.name), key=lambda row: row["as_of"])
        rows = [row for row in self.day.rows if not newest["up_to"] or row["recorded_at"] < newest["up_to"]]
        count, digest, sums = reference.manifest_of(self.day.columns, rows)
        found, wanted = (newest["row_count"], newest["digest"], newest["column_sums"]), (str(count), str(digest), sums)
        self.tap.ok(found == wanted, "PostgreSQL's sums of each column are those of Python", found, wanted)

    def covers(self):
        found = dict(self.here.rows(f"SELECT NODE, COVERS FROM {MODEL}.RECONCILIATION WHERE DAY = '{self.day.name}'"
                                    " AND NODE IN ('nothing', 'a day of version 1.0')"))
        self.tap.ok(found == {"nothing": "32 columns", "a day of version 1.0": "13 columns"}, "what is compared is said", found)

    def other_zones(self):
        """A session elsewhere sees the same; a connector that lands local times does not."""
        states = f"SELECT DAY, STATE FROM {MODEL}.RECONCILIATION WHERE NODE = 'nothing'"
        before = sorted(self.here.rows(states))
        self.here.set_time_zone("Pacific/Kiritimati")
        self.tap.ok(sorted(self.here.rows(states)) == before, "a session in another time zone finds the same", self.here.rows(states))
        self.here.set_time_zone("UTC")
        local = {column: f"DATEADD(HOUR, -5, {column})" for column in (*TIMES, "recorded_at")}
        self.here.run(set_to("TRUE", **local).replace("'NODE'", "'nothing'"))
        found = {str(day): state for day, state in self.here.rows(states)}
        stays = all(row["recorded_at"] >= f"{self.day.name} 05" for row in self.day.rows)
        wanted = "a row differs" if stays else "rows are missing"
        self.tap.ok(found[self.day.name] == wanted and not set(found.values()) & set(EQUAL),
                    "local times without a zone: no day is equal", found, wanted)
