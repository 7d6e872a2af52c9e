/*
 * store.c: the fence and the schedule in SQL; its neighbours have the rest.
 *
 * Everything is done for a batch at once: rows go in as parallel arrays.
 *
 * A plan may be made while a table is empty and used when it is large, so the
 * statements leave no choice that would then be wrong: "= ANY" of the batch
 * beside a join, OFFSET 0, which keeps a lookup a lookup (an EXISTS, too, which
 * else may read the whole table into a hash), and partial indexes of which each
 * statement can use but one, as it does not say what they are of otherwise.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "base/detail_length.h"
#include "base/rows.h"
#include "base/site.h"
#include "store/post_columns.h"
#include "store/statement.h"
#include "store/store.h"

/* Of a message and of a template: many times what INSERT lets pass. */
#define TEXT_LOADED_MAX 65536

/* --- the fence ---------------------------------------------------------- */

const char *
store_fence_complaint(List **paused)
{
	/* one statement for both: each tick needs to know */
	static Statement armed = {
		"SELECT p.server FROM reengage.identity i LEFT JOIN reengage.pauses p ON true"
		" WHERE i.system_identifier = $1 AND i.database_oid = $2 AND i.site = $3 AND i.timeline = $4",
		4, {INT8OID, OIDOID, TEXTOID, INT4OID}
	};
	static Statement complaint = {"SELECT reengage_internal.fence_complaint()"};
	static Statement follow = {"UPDATE reengage.identity SET timeline = $1", 1, {INT4OID}};
	static Statement begin_epoch = {"SELECT reengage_internal.lineage_position()"};
	const char *reason;
	Datum		arguments[4];

	arguments[0] = Int64GetDatum((int64) GetSystemIdentifier());
	arguments[1] = ObjectIdGetDatum(MyDatabaseId);
	arguments[2] = CStringGetTextDatum(site_name());
	arguments[3] = Int32GetDatum(site_timeline());
	execute(&armed, arguments, SPI_OK_SELECT);
	*paused = result_names();
	if (SPI_processed > 0)
		return NULL;
	execute(&complaint, NULL, SPI_OK_SELECT);
	reason = result_text(0);
	if (reason != NULL)
		return reason;
	/* a promotion that may go on: it is this timeline from now on */
	execute(&follow, &arguments[3], SPI_OK_UPDATE);
	execute(&begin_epoch, NULL, SPI_OK_SELECT);
	execute(&armed, arguments, SPI_OK_SELECT);
	*paused = result_names();
	return NULL;
}

/* --- the schedule ------------------------------------------------------ */

/*
 * The tip is the last conversation of the path, the generation its place.  For
 * a call that is to be made again the path ends where that was made.
 */
static void
read_path(LoadedNudge *nudge)
{
	const char *end = nudge->unresolved ? nudge->post.conversation_id : NULL;

	nudge->generation = 0;
	for (char *tip = unconstify(char *, nudge->path);; nudge->generation++)
	{
		char	   *comma = strchr(tip, ',');
		size_t		length = comma ? comma - tip : strlen(tip);

		nudge->tip = tip;
		if (comma == NULL)
			return;
		if (end != NULL && strlen(end) == length && memcmp(tip, end, length) == 0)
		{
			*comma = '\0';
			return;
		}
		tip = comma + 1;
	}
}

/*
 * INSERT refuses what is larger; a row that was there before is not written out
 * to find that it is.
 */
static char *
read_template(int row, bool *too_large)
{
	bool		isnull;
	Datum		template = result_column(row, "template", &isnull);

	*too_large = !isnull && detail_text_length(DatumGetJsonbP(template), TEXT_LOADED_MAX) > TEXT_LOADED_MAX;
	if (isnull || *too_large)
		return NULL;
	return to_utf8(DatumGetCString(DirectFunctionCall1(jsonb_out, template)));
}

static const Column nudge_columns[] = {
	COLUMN(UUID, LoadedNudge, nudge_id),
	COLUMN(TIME, LoadedNudge, due_at),
	COLUMN(TEXT, LoadedNudge, asker),
	COLUMN(INTEGER, LoadedNudge, priority),
	COLUMN(TEXT, LoadedNudge, server),
	COLUMN(TEXT, LoadedNudge, conversation_id),
	COLUMN(UTF8, LoadedNudge, message),
	COLUMN(UTF8, LoadedNudge, address),
	COLUMN(TEXT, LoadedNudge, own_address_hash),
	COLUMN(TEXT, LoadedNudge, channel),
	READ_BY_HAND("template"),
	COLUMN(BOOL, LoadedNudge, too_large),
	COLUMN(TEXT, LoadedNudge, campaign),
	COLUMN(TEXT, LoadedNudge, time_zone),
	COLUMN(BOOL, LoadedNudge, skip_when_closed),
	COLUMN(TIME_OR_NEVER, LoadedNudge, answered_since),
	COLUMN(BOOL, LoadedNudge, since_asked),
	COLUMN(TIME_OR_NEVER, LoadedNudge, expires_at),
	COLUMN(INTEGER, LoadedNudge, attempt),
	COLUMN(INTEGER, LoadedNudge, refusals),
	COLUMN(INTEGER, LoadedNudge, fencing_token),
	COLUMN(INTEGER, LoadedNudge, api_calls),
	COLUMN(TEXT, LoadedNudge, root),
	COLUMN(TEXT, LoadedNudge, path),
	COLUMN(TIME, LoadedNudge, made_at),
	COLUMN(BOOL, LoadedNudge, in_circles),
	COLUMN(BOOL, LoadedNudge, strange),
	COLUMN(BOOL, LoadedNudge, suppressed),
	COLUMN(TIME, LoadedNudge, answered_at),
	POST_COLUMNS(LoadedNudge),
	COLUMN(TIME, LoadedNudge, others_next_attempt),
};

static void
complete_nudge(LoadedNudge *nudge, int row)
{
	bool		too_large;

	nudge->template = read_template(row, &too_large);
	nudge->too_large |= too_large;
	if (!nudge->since_asked && nudge->answered_since != DT_NOEND)
		nudge->answered_since = answer_last_moment(nudge->answered_since);
	nudge->unresolved = nudge->post.step != STEP_CHECK;
	read_path(nudge);
}

char *
store_last_channel(const char *server, const char *path)
{
	static Statement statement = {
		/* of a thread's first conversation, which has no index of its own, and of the others */
		"SELECT l.channel FROM ("
		"   SELECT l.lineage_id, l.channel FROM reengage.lineage l"
		"   WHERE l.root_conversation_id = ANY (pg_catalog.string_to_array($2, ',')) AND l.server = $1"
		"     AND l.conversation_id = ANY (pg_catalog.string_to_array($2, ','))"
		"   UNION ALL"
		"   SELECT l.lineage_id, l.channel FROM reengage.lineage l"
		"   WHERE l.conversation_id = ANY (pg_catalog.string_to_array($2, ',')) AND l.server = $1"
		"     AND l.generation > 0) l"
		" WHERE l.channel IS NOT NULL ORDER BY l.lineage_id DESC LIMIT 1",
		2, {TEXTOID, TEXTOID}
	};
	Datum		arguments[] = {CStringGetTextDatum(server), CStringGetTextDatum(path)};

	execute(&statement, arguments, SPI_OK_SELECT);
	return SPI_processed > 0 ? result_text(0) : NULL;
}

/*
 * The root is that of the session, if we created the conversation, else the
 * conversation itself; from there the path leads to the tip.  A nudge may end,
 * or be in doubt, in a conversation that its thread does not lead to, so the row
 * counts by which one follows another.  A conversation has one successor (P7), so
 * the path cannot fork; two may lead to the same one, where the API threads by
 * customer.
 */
int
store_load(const pg_uuid_t *nudge_ids, int count, LoadedNudge **nudges)
{
	static Statement statement = {
		"SELECT n.nudge_id, d.due_at, d.priority::pg_catalog.int4 AS priority, n.server, n.conversation_id,"
		" CASE WHEN pg_catalog.octet_length(n.message) <= 65536 THEN n.message END AS message,"
		" coalesce(pg_catalog.octet_length(n.message) > 65536, true) AS too_large, n.address, n.channel,"
		" n.when_closed = 'skip' AS skip_when_closed, n.expires_at,"
		" d.attempt::pg_catalog.int4 AS attempt, d.fencing_token, d.api_calls, r.root, p.path,"
		" u.step AS post_step, u.conversation_id AS post_conversation_id, u.to_address AS post_to_address,"
		" u.from_address AS post_from_address, u.channel AS post_channel, u.address_hash AS post_address_hash,"
		" u.since AS post_since, others.next_attempt AS others_next_attempt,"
		" CASE pg_catalog.jsonb_typeof(n.detail OPERATOR(pg_catalog.->) 'template') WHEN 'object'"
		"   THEN n.detail OPERATOR(pg_catalog.->) 'template' END AS template,"
		" n.campaign, n.time_zone,"
		" CASE n.when_answered WHEN 'send' THEN 'infinity' ELSE coalesce(n.answered_since, n.requested_at) END AS answered_since,"
		" n.answered_since IS NULL AS since_asked,"
		" EXISTS (SELECT FROM reengage.suppressions s"
		"   WHERE s.server = n.server AND s.root_conversation_id = r.root"
		"     AND s.channel IS NULL AND coalesce(s.until > pg_catalog.clock_timestamp(), true) OFFSET 0) AS suppressed,"
		/* as far as the customer is known before a look: by the nudge's own address, and by the thread's lineage */
		" CASE WHEN n.when_answered = 'skip' AND EXISTS (SELECT FROM reengage.answers) THEN"
		"   greatest((SELECT a.answered_at FROM reengage.answers a"
		"       WHERE a.address_hash IS NULL AND a.root_conversation_id = r.root AND a.server = n.server),"
		"     (SELECT a.answered_at FROM reengage.answers a WHERE a.address_hash = d.address_hash),"
		"     (SELECT pg_catalog.max((SELECT a.answered_at FROM reengage.answers a WHERE a.address_hash = l.address_hash))"
		"       FROM reengage.lineage l"
		"       WHERE l.root_conversation_id = r.root AND l.server = n.server))"
		" END AS answered_at, d.refusals::pg_catalog.int4 AS refusals, p.made_at,"
		" d.address_hash AS own_address_hash, d.requested_by AS asker, p.in_circles,"
		/*
		 * Where only a nudge told the address of a session, nobody but whoever
		 * asked for that knows whose it is, and those who name the same.  An
		 * operator is believed.
		 */
		" EXISTS (SELECT FROM pg_catalog.unnest(walk.conversations) WITH ORDINALITY AS w (conversation_id, place)"
		"   CROSS JOIN LATERAL (SELECT l.nudge_id, l.address_hash FROM reengage.lineage l"
		"     WHERE l.server = n.server AND l.previous_conversation_id = w.conversation_id"
		"       AND l.outcome = 'session_created' AND l.reason IN ('named', 'joined_named') OFFSET 0) l"
		"   WHERE w.place >= coalesce(pg_catalog.array_position(walk.conversations, n.conversation_id), 1)"
		"     AND w.place < pg_catalog.cardinality(walk.conversations)"
		"     AND l.address_hash IS DISTINCT FROM d.address_hash"
		"     AND NOT EXISTS (SELECT FROM reengage.nudges m WHERE m.nudge_id = l.nudge_id"
		"       AND (m.requested_by = n.requested_by OR EXISTS (SELECT FROM pg_catalog.pg_roles r"
		"         WHERE r.rolname = m.requested_by AND pg_catalog.pg_has_role(r.oid, 'reengage_operator', 'USAGE') OFFSET 0)) OFFSET 0)) AS strange"
		" FROM pg_catalog.unnest($1) AS wanted (nudge_id)"
		" CROSS JOIN LATERAL (SELECT * FROM reengage.due d WHERE d.nudge_id = wanted.nudge_id OFFSET 0) d"
		" CROSS JOIN LATERAL (SELECT * FROM reengage.nudges n WHERE n.nudge_id = wanted.nudge_id OFFSET 0) n"
		" CROSS JOIN LATERAL (SELECT coalesce(("
		"   SELECT l.root_conversation_id FROM ("
		"     SELECT * FROM reengage.lineage l"
		"     WHERE l.server = n.server AND l.conversation_id = n.conversation_id"
		"       AND l.generation > 0 AND l.previous_conversation_id IS NOT NULL"
		"     OFFSET 0) l"
		"   ORDER BY l.lineage_id LIMIT 1), n.conversation_id) AS root OFFSET 0) r"
		" CROSS JOIN LATERAL ("
		"   WITH RECURSIVE step (conversation_id) AS ("
		"     SELECT r.root"
		/* not UNION ALL: it ends in a ring, without a list in each row of what was visited */
		"     UNION"
		"     SELECT l.conversation_id"
		"     FROM step CROSS JOIN LATERAL ("
		"       SELECT * FROM reengage.lineage l"
		"       WHERE l.server = n.server AND l.previous_conversation_id = step.conversation_id"
		"       OFFSET 0) l)"
		"   SELECT pg_catalog.array_agg(step.conversation_id) AS conversations FROM step) walk"
		" CROSS JOIN LATERAL ("
		"   SELECT pg_catalog.array_to_string(walk.conversations, ',') AS path,"
		"     (SELECT coalesce(l.called_at, l.occurred_at) FROM reengage.lineage l"
		"      WHERE l.server = n.server AND l.previous_conversation_id"
		"        = walk.conversations[pg_catalog.cardinality(walk.conversations) - 1] OFFSET 0) AS made_at,"
		/* there the walk ended although it went on */
		"     EXISTS (SELECT FROM reengage.lineage l"
		"       WHERE l.server = n.server AND l.previous_conversation_id"
		"         = walk.conversations[pg_catalog.cardinality(walk.conversations)] OFFSET 0) AS in_circles) p"
		" LEFT JOIN LATERAL ("
		"   SELECT * FROM reengage.unresolved u WHERE u.nudge_id = n.nudge_id OFFSET 0) u ON true"
		" CROSS JOIN LATERAL ("
		"   SELECT pg_catalog.max((SELECT od.due_at FROM reengage.due od WHERE od.nudge_id = o.nudge_id))"
		"     AS next_attempt"
		"   FROM reengage.unresolved o WHERE o.server = n.server"
		"     AND o.conversation_id = ANY (pg_catalog.string_to_array(p.path, ','))"
		"     AND o.nudge_id <> n.nudge_id) others",
		1, {UUIDARRAYOID}
	};
	Datum		argument = uuid_array(nudge_ids, count);

	execute(&statement, &argument, SPI_OK_SELECT);
	*nudges = palloc0(sizeof(LoadedNudge) * Max(SPI_processed, 1));
	read_rows(nudge_columns, lengthof(nudge_columns), *nudges, sizeof(LoadedNudge));
	for (uint64 row = 0; row < SPI_processed; row++)
		complete_nudge(&(*nudges)[row], (int) row);
	/* their text is in it once more */
	SPI_freetuptable(SPI_tuptable);
	return (int) SPI_processed;
}

void
store_move(const MoveRow *rows, int count)
{
	static const Column columns[] = {
		COLUMN(UUID, MoveRow, nudge_id),
		COLUMN(TIME, MoveRow, due_at),
		COLUMN(INTEGER, MoveRow, attempt),
		COLUMN(INTEGER, MoveRow, refusals),
		COLUMN(INTEGER, MoveRow, api_calls),
		COLUMN(TEXT, MoveRow, hold),
		COLUMN(TEXT, MoveRow, hold_reason),
		COLUMN(TEXT, MoveRow, address_hash),
	};
	static Statement statement = {
		"UPDATE reengage.due d SET due_at = m.due_at, attempt = m.attempt, refusals = m.refusals,"
		" fencing_token = d.fencing_token + 1, api_calls = m.api_calls, hold = m.hold, hold_reason = m.hold_reason,"
		" address_hash = coalesce(d.address_hash, m.address_hash)"
		" FROM BATCH AS m"
		" WHERE d.nudge_id = m.nudge_id AND d.nudge_id = ANY ($1)",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(MoveRow), count, SPI_OK_UPDATE);
}
