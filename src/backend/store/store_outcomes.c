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
		locked[row] = result_bool(row, 1);
}

void
store_find_rings(const OutcomeRow *rows, int count, const char *const *servers, bool *rings)
{
	static Statement statement = {
		"WITH RECURSIVE later (place, server, previous, conversation_id) AS ("
		"   SELECT c.place, c.server, c.previous, c.conversation_id"
		"   FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
		"     WITH ORDINALITY AS c (server, previous, conversation_id, place)"
		"   UNION"
		"   SELECT later.place, later.server, later.previous, l.conversation_id"
		"   FROM later CROSS JOIN LATERAL (SELECT * FROM reengage.lineage l"
		"     WHERE l.server = later.server AND l.previous_conversation_id = later.conversation_id OFFSET 0) l)"
		" SELECT pg_catalog.bool_or(later.conversation_id = later.previous) FROM later"
		" GROUP BY later.place ORDER BY later.place",
		3, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_TEXT, offsetof(OutcomeRow, previous_conversation_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, conversation_id)},
	};
	static const Column of_server = {COLUMN_TEXT, 0};
	Datum		arguments[3];

	make_arguments(arguments, &of_server, 1, servers, sizeof(*servers), count);
	make_arguments(arguments + 1, columns, lengthof(columns), rows, sizeof(OutcomeRow), count);
	execute(&statement, arguments, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
		rings[row] = result_bool(row, 1);
}

/*
 * One statement takes nudges out of the schedule and gives them their outcome.
 * One that has an outcome already, as it was cancelled, gets no other; one that
 * somebody took out of the schedule gets it all the same.
 */
void
store_settle(const OutcomeRow *rows, int count, bool *stored)
{
	static Statement statement = {
		"WITH ended AS ("
		"  DELETE FROM reengage.due d WHERE d.nudge_id = ANY ($1) RETURNING d.nudge_id),"
		" resolved AS ("
		"  DELETE FROM reengage.unresolved u WHERE u.nudge_id = ANY ($1)),"
		" outcomes AS ("
		"  SELECT o.*, n.server, n.conversation_id AS requested, n.campaign, n.requested_at, n.due_at, n.detail"
		"  FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"  pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
		"  pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11),"
		"  pg_catalog.unnest($12), pg_catalog.unnest($13), pg_catalog.unnest($14), pg_catalog.unnest($15),"
		"  pg_catalog.unnest($16), pg_catalog.unnest($17), pg_catalog.unnest($18), pg_catalog.unnest($19),"
		"  pg_catalog.unnest($20), pg_catalog.unnest($21), pg_catalog.unnest($22)) WITH ORDINALITY"
		"  AS o (nudge_id, outcome, reason, step, conversation_id, previous, root, generation,"
		"  status_seen, channel, address_hash, attempts, api_calls, api_calls_saved, http_status,"
		"  error_code, error_message, correlation_id, message_id, checked_at, called_at, occurred_at, place)"
		"  JOIN reengage.nudges n ON n.nudge_id = o.nudge_id"
		"  WHERE n.nudge_id = ANY ($1)"
		"    AND (o.nudge_id IN (SELECT e.nudge_id FROM ended e)"
		/* a scalar, which no planner makes a scan of all lineage of */
		"      OR (SELECT true FROM reengage.lineage l WHERE l.nudge_id = o.nudge_id LIMIT 1) IS NULL)),"
		" stored AS ("
		"  INSERT INTO reengage.lineage (nudge_id, server, requested_conversation_id, campaign,"
		"  requested_at, due_at, detail, outcome, reason, step, conversation_id,"
		"  previous_conversation_id, root_conversation_id, generation, status_seen, channel,"
		"  address_hash, attempts, api_calls, api_calls_saved, http_status, api_error_code,"
		"  api_error_message, correlation_id, message_id, checked_at, called_at, occurred_at)"
		"  SELECT o.nudge_id, o.server, o.requested, o.campaign,"
		"  o.requested_at, o.due_at, o.detail, o.outcome, o.reason, o.step, o.conversation_id,"
		"  o.previous, o.root, o.generation, o.status_seen, o.channel,"
		"  o.address_hash, o.attempts, o.api_calls, o.api_calls_saved, o.http_status, o.error_code,"
		"  o.error_message, o.correlation_id, o.message_id, o.checked_at, o.called_at, o.occurred_at"
		"  FROM outcomes o"
		"  RETURNING lineage.nudge_id)"
		" SELECT o.place::pg_catalog.int4, o.nudge_id IN (SELECT s.nudge_id FROM stored s) FROM outcomes o",
		22, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
			INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(OutcomeRow, nudge_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, outcome)},
		{COLUMN_TEXT, offsetof(OutcomeRow, reason)},
		{COLUMN_TEXT, offsetof(OutcomeRow, step)},
		{COLUMN_TEXT, offsetof(OutcomeRow, conversation_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, previous_conversation_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, root_conversation_id)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, generation)},
		{COLUMN_TEXT, offsetof(OutcomeRow, status_seen)},
		{COLUMN_TEXT, offsetof(OutcomeRow, channel)},
		{COLUMN_TEXT, offsetof(OutcomeRow, address_hash)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, attempts)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, api_calls)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, api_calls_saved)},
		{COLUMN_INTEGER_OR_NULL, offsetof(OutcomeRow, http_status)},
		{COLUMN_TEXT, offsetof(OutcomeRow, error_code)},
		{COLUMN_TEXT, offsetof(OutcomeRow, error_message)},
		{COLUMN_TEXT, offsetof(OutcomeRow, correlation_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, message_id)},
		{COLUMN_TIME_OR_NULL, offsetof(OutcomeRow, checked_at)},
		{COLUMN_TIME_OR_NULL, offsetof(OutcomeRow, called_at)},
		{COLUMN_TIME, offsetof(OutcomeRow, occurred_at)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), rows, sizeof(OutcomeRow), count);
	execute(&statement, arguments, SPI_OK_SELECT);
	memset(stored, 0, sizeof(bool) * count);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		/* it would be sent again and again */
		if (!result_bool(row, 2))
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
					 errmsg("a trigger on table \"reengage.lineage\" keeps outcomes from being stored"),
					 errhint("Drop the trigger.")));
		stored[result_integer(row, 1) - 1] = true;
	}
}
