/*
 * store_outcomes.c: how nudges end, in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "store/statement.h"
#include "store/store.h"

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

void
store_find_rings(const SessionRow *rows, int count, bool *rings)
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
		"   FROM later CROSS JOIN LATERAL (SELECT * FROM reengage.lineage l"
		"     WHERE l.server = later.server AND l.previous_conversation_id = later.conversation_id OFFSET 0) l)"
		" SELECT pg_catalog.bool_or(later.conversation_id = later.previous) FROM later"
		" GROUP BY later.place ORDER BY later.place",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(SessionRow), count, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
		rings[row] = result_bool(row);
}

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
void
store_settle(const OutcomeRow *rows, int count, bool *stored)
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
		"  SELECT o.*, n.server, n.conversation_id AS requested, n.campaign, n.requested_at, n.due_at, n.detail"
		"  FROM BATCH AS o"
		"  JOIN reengage.nudges n ON n.nudge_id = o.nudge_id"
		"  WHERE n.nudge_id = ANY ($1)"
		"    AND (o.nudge_id IN (SELECT e.nudge_id FROM ended e)"
		/* a scalar, which no planner makes a scan of all lineage of */
		"      OR (SELECT true FROM reengage.lineage l WHERE l.nudge_id = o.nudge_id LIMIT 1) IS NULL)),"
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
		"  RETURNING lineage.nudge_id)"
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
