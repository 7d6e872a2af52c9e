/*
 * store_outcomes.c: how nudges end, in SQL.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "store/lineage_insert.h"
#include "store/lookup.h"
#include "store/moves.h"
#include "store/sessions.h"
#include "store/statement.h"
#include "store/store.h"
#include "store/store_tallies.h"
#include "store/table_write.h"

void
store_lock_due(const pg_uuid_t *nudge_ids, int count, bool *locked)
{
	static Statement statement = {
		"WITH ours AS MATERIALIZED ("
		"  SELECT d.nudge_id FROM reengage.due d WHERE d.nudge_id = ANY ($1) FOR UPDATE SKIP LOCKED)"
		/* what is not in the schedule any more is nobody's */
		" SELECT w.nudge_id NOT IN (SELECT o.nudge_id FROM ours o)"
		"   AND (SELECT true FROM reengage.due d WHERE d.nudge_id = w.nudge_id LIMIT 1) IS NOT NULL"
		" FROM pg_catalog.unnest($1) WITH ORDINALITY AS w (nudge_id, place) ORDER BY w.place",
		1, {UUIDARRAYOID}
	};
	Datum		argument = uuid_array(nudge_ids, count);

	execute(&statement, &argument, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
		locked[row] = result_bool(row);
}

static void
walk_on(const SessionRow *rows, int count, bool *rings)
{
	static const Column columns[] = {
		COLUMN(TEXT, SessionRow, server),
		COLUMN(TEXT, SessionRow, previous),
		COLUMN(TEXT, SessionRow, conversation_id),
	};
	static Statement statement = {
		"WITH RECURSIVE later (place, server, previous, conversation_id) AS ("
		"   SELECT c.place, c.server, c.previous, c.conversation_id FROM BATCH AS c"
		"   UNION"
		"   SELECT later.place, later.server, later.previous, l.conversation_id"
		"   FROM later CROSS JOIN LATERAL (SELECT * FROM reengage_internal.sessions l"
		"     WHERE l.server = later.server AND l.previous_conversation_id = later.conversation_id OFFSET 0) l)"
		" SELECT pg_catalog.bool_or(later.conversation_id = later.previous) FROM later"
		" GROUP BY later.place ORDER BY later.place",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(SessionRow), count, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
		rings[row] = result_bool(row);
}

void
store_find_rings(const SessionRow *rows, int count, bool *rings)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Sessions	sessions = sessions_begin(snapshot, false);
	SessionRow *going_on = palloc(sizeof(SessionRow) * count);
	int		   *places = palloc(sizeof(int) * count);
	bool	   *found = palloc(sizeof(bool) * count);
	int			ngoing_on = 0;

	for (int i = 0; i < count; i++)
	{
		/* a session that nothing follows can only lead into itself */
		rings[i] = strcmp(rows[i].conversation_id, rows[i].previous) == 0;
		if (!sessions_have_successor(&sessions, rows[i].server, rows[i].conversation_id))
			continue;
		places[ngoing_on] = i;
		going_on[ngoing_on++] = rows[i];
	}
	sessions_end(&sessions);
	UnregisterSnapshot(snapshot);
	if (ngoing_on > 0)
		walk_on(going_on, ngoing_on, found);
	for (int i = 0; i < ngoing_on; i++)
		rings[places[i]] = found[i];
}

/* --- by a statement, whose triggers fire ----------------------------------------------- */

/* Of the batch of outcomes, one that is to be in lineage now. */
typedef struct SettledRow
{
	int			place;			/* in the batch, from 1 */
	bool		stored;
} SettledRow;

static const Column settled_columns[] = {
	COLUMN(INTEGER, SettledRow, place),
	COLUMN(BOOL, SettledRow, stored),
};

/*
 * One statement takes nudges out of the schedule and gives them their outcome.
 * One that has an outcome already, as it was cancelled, gets no other; one that
 * somebody took out of the schedule gets it all the same.
 */
static void
settle_rows(const OutcomeRow *rows, int count, bool *stored)
{
	static const Column columns[] = {
#define LINEAGE_COLUMN(c_type, type, column) COLUMN(type, OutcomeRow, column),
#include "store/lineage_columns.h"
#undef LINEAGE_COLUMN
	};
	static Statement statement = {
		"WITH ended AS ("
		"  DELETE FROM reengage.due d WHERE d.nudge_id = ANY ($1) RETURNING d.nudge_id),"
		" resolved AS ("
		"  DELETE FROM reengage.unresolved u WHERE u.nudge_id = ANY ($1)),"
		" outcomes AS ("
		"  SELECT o.*, n.server, n.conversation_id AS requested, n.campaign, n.requested_by, n.requested_at, n.due_at, n.detail"
		"  FROM BATCH AS o"
		"  JOIN reengage.nudges n ON n.nudge_id = o.nudge_id"
		"  WHERE n.nudge_id = ANY ($1)"
		"    AND (o.nudge_id IN (SELECT e.nudge_id FROM ended e)"
		/* a scalar, which no planner makes a scan of all lineage of */
		"      OR (SELECT true FROM reengage.lineage l WHERE l.nudge_id = o.nudge_id LIMIT 1) IS NULL"
		"        AND NOT EXISTS (SELECT FROM reengage.server_moves m"
		"          WHERE m.server = n.server AND m.state IN ('departed', 'gone') OFFSET 0))),"
		" stored AS ("
		"  INSERT INTO reengage.lineage (server, requested_conversation_id, campaign, requested_at, due_at, detail"
#define LINEAGE_COLUMN(c_type, type, column) ", " #column
#include "store/lineage_columns.h"
#undef LINEAGE_COLUMN
		"  ) SELECT o.server, o.requested, o.campaign, o.requested_at, o.due_at, o.detail"
#define LINEAGE_COLUMN(c_type, type, column) ", o." #column
#include "store/lineage_columns.h"
#undef LINEAGE_COLUMN
		"  FROM outcomes o"
		"  RETURNING lineage.nudge_id),"
		" counted AS ("
		"  INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)"
		"  SELECT pg_catalog.sum(c.nudges), o.server, o.campaign, o.requested_by, c.state, c.reason"
		"  FROM outcomes o CROSS JOIN LATERAL (VALUES (-1, 'due', NULL), (1, o.outcome, o.reason)) AS c (nudges, state, reason)"
		"  GROUP BY o.server, o.campaign, o.requested_by, c.state, c.reason)"
		" SELECT o.place::pg_catalog.int4 AS place, o.nudge_id IN (SELECT s.nudge_id FROM stored s) AS stored"
		" FROM outcomes o",
		BATCH_OF(columns)
	};
	SettledRow *settled;

	execute_batch(&statement, NULL, rows, sizeof(OutcomeRow), count, SPI_OK_SELECT);
	settled = palloc(sizeof(SettledRow) * Max(SPI_processed, 1));
	read_rows(settled_columns, lengthof(settled_columns), settled, sizeof(SettledRow));
	memset(stored, 0, sizeof(bool) * count);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		/* it would be sent again and again */
		if (!settled[row].stored)
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
					 errmsg("a trigger on table \"reengage.lineage\" keeps outcomes from being stored"),
					 errhint("Drop the trigger.")));
		stored[settled[row].place - 1] = true;
	}
}

/* Those that are locked stay out of it. */
static void
settle_by_statement(const OutcomeRow *rows, int count, Settled *settled)
{
	pg_uuid_t  *nudge_ids = palloc(sizeof(pg_uuid_t) * count);
	OutcomeRow *free_rows = palloc(sizeof(OutcomeRow) * count);
	bool	   *locked = palloc(sizeof(bool) * count);
	bool	   *stored = palloc(sizeof(bool) * count);
	int			nfree = 0;

	for (int i = 0; i < count; i++)
		nudge_ids[i] = rows[i].nudge_id;
	store_lock_due(nudge_ids, count, locked);
	for (int i = 0; i < count; i++)
		if (!locked[i])
			free_rows[nfree++] = rows[i];
	if (nfree > 0)
		settle_rows(free_rows, nfree, stored);
	for (int i = 0, place = 0; i < count; i++)
		settled[i] = locked[i] ? SETTLED_NOT_YET : stored[place++] ? SETTLED : SETTLED_BEFORE;
}

/* --- row by row, where nothing fires ------------------------------------------------------ */

typedef struct Settling
{
	Lookup		due;
	Lookup		nudges;
	Lookup		lineage;
	int			hold;			/* its place in "due" */
	LineageInsert *insert;
	Tallies    *tallies;
} Settling;

/* As the trigger on "due" would say it, and the end of the nudge. */
static void
count_end(Settling *settling, const OutcomeRow *outcome, TupleTableSlot *nudge, TupleTableSlot *due)
{
	const char *hold = NULL;

	if (due != NULL)
	{
		slot_getallattrs(due);
		if (!due->tts_isnull[settling->hold])
			hold = TextDatumGetCString(due->tts_values[settling->hold]);
	}
	tallies_add(settling->tallies, nudge, "due", hold, -1);
	tallies_add(settling->tallies, nudge, outcome->outcome, outcome->reason, 1);
}

/* No call was made for it here: it is due on another node now. */
static bool
has_left(Settling *settling, TupleTableSlot *nudge)
{
	slot_getallattrs(nudge);
	return moves_went_to(TextDatumGetCString(nudge->tts_values[column_place(RelationGetDescr(settling->nudges.table), "server")])) != NULL;
}

static Settled
settle_one(Settling *settling, const OutcomeRow *outcome)
{
	TupleTableSlot *nudge = lookup_find_at(&settling->nudges, &outcome->places.nudge, &outcome->nudge_id);
	TupleTableSlot *due = lookup_find_at(&settling->due, &outcome->places.due, &outcome->nudge_id);

	if (nudge == NULL)
		return SETTLED_BEFORE;
	if (due != NULL && !lookup_delete(&settling->due))
		return SETTLED_NOT_YET;
	/* it was cancelled, or somebody took it out of the schedule */
	if (due == NULL && (lookup_find(&settling->lineage, &outcome->nudge_id) != NULL || has_left(settling, nudge)))
		return SETTLED_BEFORE;
	lineage_insert_add(settling->insert, outcome, nudge);
	count_end(settling, outcome, nudge, due);
	return SETTLED;
}

static void
settle_directly(Relation lineage, const OutcomeRow *rows, int count, Settled *settled)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Settling	settling = {
		.due = lookup_begin("due", "due_pkey", snapshot),
		.nudges = lookup_begin("nudges", "nudges_pkey", snapshot),
		.lineage = lookup_begin("lineage", "lineage_nudge", snapshot),
	};

	settling.hold = column_place(RelationGetDescr(settling.due.table), "hold");
	settling.insert = lineage_insert_begin(lineage, settling.nudges.table, count);
	settling.tallies = tallies_begin(settling.nudges.table);
	for (int i = 0; i < count; i++)
		settled[i] = settle_one(&settling, &rows[i]);
	lookup_end(&settling.due);
	lookup_end(&settling.nudges);
	lookup_end(&settling.lineage);
	UnregisterSnapshot(snapshot);
	lineage_insert_end(settling.insert);
	tallies_end(settling.tallies);
}

static void
delete_unresolved(const OutcomeRow *rows, int count)
{
	static const Column columns[] = {COLUMN(UUID, OutcomeRow, nudge_id)};
	static Statement statement = {
		"DELETE FROM reengage.unresolved u WHERE u.nudge_id = ANY ($1)", BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(OutcomeRow), count, SPI_OK_DELETE);
}

/* --- either way ---------------------------------------------------------------------------- */

void
store_settle(const OutcomeRow *rows, int count, Settled *settled)
{
	Relation	lineage = open_table("lineage", RowExclusiveLock, ACL_INSERT);
	Relation	due = open_table("due", RowExclusiveLock, ACL_DELETE);

	if (fires_insert(lineage->trigdesc) || fires_delete(due->trigdesc))
		settle_by_statement(rows, count, settled);
	else
	{
		settle_directly(lineage, rows, count, settled);
		if (!table_is_empty("unresolved"))
			delete_unresolved(rows, count);
	}
	table_close(due, NoLock);
	table_close(lineage, NoLock);
}
