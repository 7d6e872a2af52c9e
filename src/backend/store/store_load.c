/*
 * store_load.c: all that is needed to carry out nudges, in SQL.
 *
 * Most nudges are the first of their thread, and of customers who said nothing.
 * So the first statement reads what was asked and finds out whether there is more
 * to know; of those others tell it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "base/detail_length.h"
#include "base/rows.h"
#include "store/post_columns.h"
#include "store/statement.h"
#include "store/store.h"

/* Of a message and of a template: many times what INSERT lets pass. */
#define TEXT_LOADED_MAX 65536

/* --- what was asked --------------------------------------------------------------- */

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

static bool
read_flag(int row, const char *name)
{
	bool		isnull;
	Datum		value = result_column(row, name, &isnull);

	return !isnull && DatumGetBool(value);
}

/* A nudge of which nothing else is known is alone in its thread. */
static void
complete_asked(LoadedNudge *nudge, int row)
{
	bool		too_large;

	nudge->template = read_template(row, &too_large);
	nudge->too_large |= too_large;
	if (!nudge->since_asked && nudge->answered_since != DT_NOEND)
		nudge->answered_since = answer_last_moment(nudge->answered_since);
	nudge->root = nudge->conversation_id;
	nudge->path = pstrdup(nudge->conversation_id);
}

static int
load_asked(const pg_uuid_t *nudge_ids, int count, LoadedNudge **nudges, int *nthreaded, bool *anybody_spoke)
{
	static const Column columns[] = {
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
		READ_BY_HAND("threaded"),
		READ_BY_HAND("anybody_spoke"),
	};
	static Statement statement = {
		"SELECT n.nudge_id, d.due_at, d.requested_by AS asker, d.priority::pg_catalog.int4 AS priority,"
		" n.server, n.conversation_id,"
		" CASE WHEN pg_catalog.octet_length(n.message) <= 65536 THEN n.message END AS message,"
		" coalesce(pg_catalog.octet_length(n.message) > 65536, true) AS too_large, n.address,"
		" d.address_hash AS own_address_hash, n.channel,"
		" CASE pg_catalog.jsonb_typeof(n.detail OPERATOR(pg_catalog.->) 'template') WHEN 'object'"
		"   THEN n.detail OPERATOR(pg_catalog.->) 'template' END AS template,"
		" n.campaign, n.time_zone, n.when_closed = 'skip' AS skip_when_closed,"
		" CASE n.when_answered WHEN 'send' THEN 'infinity' ELSE coalesce(n.answered_since, n.requested_at) END AS answered_since,"
		" n.answered_since IS NULL AS since_asked, n.expires_at,"
		" d.attempt::pg_catalog.int4 AS attempt, d.refusals::pg_catalog.int4 AS refusals, d.fencing_token, d.api_calls,"
		/* it was led on, or leads on, or there is a call to be made again */
		" EXISTS (SELECT FROM reengage.lineage l"
		"   WHERE " IS_TEXT("l.conversation_id", "n.conversation_id") " AND l.server = n.server AND l.generation > 0 OFFSET 0)"
		" OR EXISTS (SELECT FROM reengage.lineage l"
		"   WHERE l.server = n.server AND l.previous_conversation_id = n.conversation_id OFFSET 0)"
		" OR CASE WHEN EXISTS (SELECT FROM reengage.unresolved) THEN"
		"   EXISTS (SELECT FROM reengage.unresolved u WHERE u.nudge_id = n.nudge_id OFFSET 0)"
		"   OR EXISTS (SELECT FROM reengage.unresolved u"
		"     WHERE u.conversation_id = n.conversation_id AND u.server = n.server OFFSET 0)"
		"   ELSE false END AS threaded,"
		" EXISTS (SELECT FROM reengage.suppressions) OR EXISTS (SELECT FROM reengage.answers) AS anybody_spoke"
		" FROM pg_catalog.unnest($1) AS wanted (nudge_id)"
		" CROSS JOIN LATERAL (SELECT * FROM reengage.due d WHERE d.nudge_id = wanted.nudge_id OFFSET 0) d"
		" CROSS JOIN LATERAL (SELECT * FROM reengage.nudges n WHERE n.nudge_id = wanted.nudge_id OFFSET 0) n"
		" ORDER BY threaded DESC",
		1, {UUIDARRAYOID}
	};
	Datum		argument = uuid_array(nudge_ids, count);
	int			nnudges;

	execute(&statement, &argument, SPI_OK_SELECT);
	nnudges = (int) SPI_processed;
	*nudges = palloc0(sizeof(LoadedNudge) * Max(nnudges, 1));
	read_rows(columns, lengthof(columns), *nudges, sizeof(LoadedNudge));
	*nthreaded = 0;
	*anybody_spoke = nnudges > 0 && read_flag(0, "anybody_spoke");
	for (int row = 0; row < nnudges; row++)
	{
		complete_asked(&(*nudges)[row], row);
		*nthreaded += read_flag(row, "threaded");
	}
	/* their text is in it once more */
	SPI_freetuptable(SPI_tuptable);
	return nnudges;
}

/* --- their threads ------------------------------------------------------------------ */

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
 * The root is that of the session, if we created the conversation, else the
 * conversation itself; from there the path leads to the tip.  A nudge may end,
 * or be in doubt, in a conversation that its thread does not lead to, so the row
 * counts by which one follows another.  A conversation has one successor (P7), so
 * the path cannot fork; two may lead to the same one, where the API threads by
 * customer.
 */
static void
load_threads(LoadedNudge *nudges, int count)
{
	static const Column asked[] = {
		COLUMN(UUID, LoadedNudge, nudge_id),
		COLUMN(TEXT, LoadedNudge, server),
		COLUMN(TEXT, LoadedNudge, conversation_id),
		COLUMN(TEXT, LoadedNudge, asker),
		COLUMN(TEXT, LoadedNudge, own_address_hash),
	};
	static const Column columns[] = {
		COLUMN(TEXT, LoadedNudge, root),
		COLUMN(TEXT, LoadedNudge, path),
		COLUMN(TIME, LoadedNudge, made_at),
		COLUMN(BOOL, LoadedNudge, in_circles),
		COLUMN(BOOL, LoadedNudge, strange),
		POST_COLUMNS(LoadedNudge, TEXT),
		COLUMN(TIME, LoadedNudge, others_next_attempt),
	};
	static Statement statement = {
		"SELECT r.root, p.path, p.made_at, p.in_circles,"
		" u.step AS post_step, u.conversation_id AS post_conversation_id, u.to_address AS post_to_address,"
		" u.from_address AS post_from_address, u.channel AS post_channel, u.address_hash AS post_address_hash,"
		" u.since AS post_since, others.next_attempt AS others_next_attempt,"
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
		"     AND l.address_hash IS DISTINCT FROM n.own_address_hash"
		"     AND NOT EXISTS (SELECT FROM reengage.nudges m WHERE m.nudge_id = l.nudge_id"
		"       AND (m.requested_by = n.asker OR EXISTS (SELECT FROM pg_catalog.pg_roles r"
		"         WHERE r.rolname = m.requested_by AND pg_catalog.pg_has_role(r.oid, 'reengage_operator', 'USAGE') OFFSET 0)) OFFSET 0)) AS strange"
		" FROM BATCH AS n"
		" CROSS JOIN LATERAL (SELECT coalesce(("
		"   SELECT l.root_conversation_id FROM ("
		"     SELECT * FROM reengage.lineage l"
		/* the server as an expression: or the index of successors may look as good */
		"     WHERE l.server || '' = n.server AND " IS_TEXT("l.conversation_id", "n.conversation_id")
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
		"     AND o.nudge_id <> n.nudge_id) others"
		" ORDER BY n.place",
		BATCH_OF(asked)
	};

	execute_batch(&statement, NULL, nudges, sizeof(LoadedNudge), count, SPI_OK_SELECT);
	read_rows(columns, lengthof(columns), nudges, sizeof(LoadedNudge));
	for (int i = 0; i < count; i++)
		nudges[i].unresolved = nudges[i].post.step != STEP_CHECK;
	SPI_freetuptable(SPI_tuptable);
}

/* --- opt-outs and answers ------------------------------------------------------------- */

/* As far as the customer is known before a look: by the nudge's own address, and by the thread's lineage. */
static void
load_words(LoadedNudge *nudges, int count)
{
	static const Column asked[] = {
		COLUMN(TEXT, LoadedNudge, server),
		COLUMN(TEXT, LoadedNudge, root),
		COLUMN(TEXT, LoadedNudge, own_address_hash),
	};
	static const Column columns[] = {
		COLUMN(BOOL, LoadedNudge, suppressed),
		COLUMN(TIME, LoadedNudge, answered_at),
	};
	static Statement statement = {
		"SELECT EXISTS (SELECT FROM reengage.suppressions s"
		"   WHERE s.server = n.server AND s.root_conversation_id = n.root"
		"     AND s.channel IS NULL AND coalesce(s.until > pg_catalog.clock_timestamp(), true) OFFSET 0) AS suppressed,"
		" CASE WHEN EXISTS (SELECT FROM reengage.answers) THEN"
		"   greatest((SELECT a.answered_at FROM reengage.answers a"
		"       WHERE a.address_hash IS NULL AND a.root_conversation_id = n.root AND a.server = n.server),"
		"     (SELECT a.answered_at FROM reengage.answers a WHERE a.address_hash = n.own_address_hash),"
		"     (SELECT pg_catalog.max((SELECT a.answered_at FROM reengage.answers a WHERE a.address_hash = l.address_hash))"
		"       FROM reengage.lineage l"
		"       WHERE l.root_conversation_id = n.root AND l.server = n.server))"
		" END AS answered_at"
		" FROM BATCH AS n ORDER BY n.place",
		BATCH_OF(asked)
	};

	execute_batch(&statement, NULL, nudges, sizeof(LoadedNudge), count, SPI_OK_SELECT);
	read_rows(columns, lengthof(columns), nudges, sizeof(LoadedNudge));
	SPI_freetuptable(SPI_tuptable);
}

/* --- all of it -------------------------------------------------------------------------- */

int
store_load(const pg_uuid_t *nudge_ids, int count, LoadedNudge **nudges)
{
	int			nthreaded;
	bool		anybody_spoke;

	count = load_asked(nudge_ids, count, nudges, &nthreaded, &anybody_spoke);
	if (nthreaded > 0)
		load_threads(*nudges, nthreaded);
	if (anybody_spoke)
		load_words(*nudges, count);
	for (int i = 0; i < count; i++)
		read_path(&(*nudges)[i]);
	return count;
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
		"   WHERE pg_catalog.hashtextextended(l.conversation_id, 0) = ANY (ARRAY("
		"       SELECT pg_catalog.hashtextextended(p, 0) FROM pg_catalog.unnest(pg_catalog.string_to_array($2, ',')) p))"
		"     AND l.conversation_id = ANY (pg_catalog.string_to_array($2, ',')) AND l.server = $1"
		"     AND l.generation > 0) l"
		" WHERE l.channel IS NOT NULL ORDER BY l.lineage_id DESC LIMIT 1",
		2, {TEXTOID, TEXTOID}
	};
	Datum		arguments[] = {CStringGetTextDatum(server), CStringGetTextDatum(path)};

	execute(&statement, arguments, SPI_OK_SELECT);
	return SPI_processed > 0 ? result_text(0) : NULL;
}
