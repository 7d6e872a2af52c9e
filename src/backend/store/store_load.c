/*
 * store_load.c: all that is needed to carry out nudges.
 *
 * Most nudges are the first of their thread, and of customers who said nothing.
 * So what was asked is looked up, and whether there is more to know; of those
 * nudges alone statements tell it.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "base/detail_length.h"
#include "base/rows.h"
#include "store/lookup.h"
#include "store/post_columns.h"
#include "store/sessions.h"
#include "store/statement.h"
#include "store/store.h"

/* Of a message and of a template: many times what INSERT lets pass. */
#define TEXT_LOADED_MAX 65536

/* --- what was asked --------------------------------------------------------------- */

static const Column due_columns[] = {
	COLUMN(TIME, LoadedNudge, due_at),
	COLUMN_AS("requested_by", TEXT, LoadedNudge, asker),
	COLUMN(SMALLINT, LoadedNudge, priority),
	COLUMN_AS("address_hash", TEXT, LoadedNudge, own_address_hash),
	COLUMN(SMALLINT, LoadedNudge, attempt),
	COLUMN(SMALLINT, LoadedNudge, refusals),
	COLUMN(INTEGER, LoadedNudge, fencing_token),
	COLUMN(INTEGER, LoadedNudge, api_calls),
};

static const Column nudge_columns[] = {
	COLUMN(UUID, LoadedNudge, nudge_id),
	COLUMN(TEXT, LoadedNudge, server),
	COLUMN(TEXT, LoadedNudge, conversation_id),
	COLUMN(UTF8, LoadedNudge, address),
	COLUMN(TEXT, LoadedNudge, channel),
	COLUMN(TEXT, LoadedNudge, campaign),
	COLUMN(TEXT, LoadedNudge, time_zone),
	COLUMN(TIME_OR_NEVER, LoadedNudge, expires_at),
};

/* Of nudges, what is not taken as it is. */
typedef enum ReadByHand
{
	MESSAGE, DETAIL, WHEN_CLOSED, WHEN_ANSWERED, ANSWERED_SINCE, REQUESTED_AT, READ_BY_HAND_COUNT
} ReadByHand;

static const char *const by_hand[] = {
	"message", "detail", "when_closed", "when_answered", "answered_since", "requested_at"
};

typedef struct Asked
{
	Lookup		due;
	Lookup		nudges;
	int			due_places[lengthof(due_columns)];
	int			nudge_places[lengthof(nudge_columns)];
	int			by_hand_places[READ_BY_HAND_COUNT];
	/* where there may be more to know */
	Sessions	sessions;
	bool		unresolved;		/* there may be calls to be made again */
} Asked;

static void
begin_asked(Asked *asked, Snapshot snapshot)
{
	asked->due = lookup_begin("due", "due_pkey", snapshot);
	asked->nudges = lookup_begin("nudges", "nudges_pkey", snapshot);
	places_of_columns(RelationGetDescr(asked->due.table), due_columns, lengthof(due_columns), asked->due_places);
	places_of_columns(RelationGetDescr(asked->nudges.table), nudge_columns, lengthof(nudge_columns), asked->nudge_places);
	for (int i = 0; i < READ_BY_HAND_COUNT; i++)
		asked->by_hand_places[i] = column_place(RelationGetDescr(asked->nudges.table), by_hand[i]);
	asked->sessions = sessions_begin(snapshot, true);
	asked->unresolved = !table_is_empty("unresolved");
}

static void
end_asked(Asked *asked)
{
	lookup_end(&asked->due);
	lookup_end(&asked->nudges);
	sessions_end(&asked->sessions);
}

static Datum
value_by_hand(const Asked *asked, TupleTableSlot *row, ReadByHand column, bool *isnull)
{
	*isnull = row->tts_isnull[asked->by_hand_places[column]];
	return row->tts_values[asked->by_hand_places[column]];
}

static bool
is_word(Datum value, const char *word)
{
	return strcmp(TextDatumGetCString(value), word) == 0;
}

/*
 * INSERT refuses what is larger; a row that was there before is not written out
 * to find that it is.
 */
static const char *
template_of(Datum detail, bool *too_large)
{
	Jsonb	   *object = DatumGetJsonbP(detail);
	JsonbValue *value = !JB_ROOT_IS_OBJECT(object) ? NULL :
		getKeyJsonValueFromContainer(&object->root, "template", strlen("template"), NULL);
	Jsonb	   *template;

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return NULL;
	template = JsonbValueToJsonb(value);
	if (detail_text_length(template, TEXT_LOADED_MAX) > TEXT_LOADED_MAX)
	{
		*too_large = true;
		return NULL;
	}
	return to_utf8(DatumGetCString(DirectFunctionCall1(jsonb_out, JsonbPGetDatum(template))));
}

/* What is to be sent, and until when an answer is none. */
static void
read_by_hand(const Asked *asked, TupleTableSlot *row, LoadedNudge *nudge)
{
	bool		isnull;
	Datum		message = value_by_hand(asked, row, MESSAGE, &isnull);
	Datum		detail;
	Datum		since;

	nudge->too_large = isnull || toast_raw_datum_size(message) - VARHDRSZ > TEXT_LOADED_MAX;
	if (!nudge->too_large)
		nudge->message = to_utf8(TextDatumGetCString(message));
	detail = value_by_hand(asked, row, DETAIL, &isnull);
	if (!isnull)
		nudge->template = template_of(detail, &nudge->too_large);
	nudge->skip_when_closed = is_word(value_by_hand(asked, row, WHEN_CLOSED, &isnull), "skip");
	since = value_by_hand(asked, row, ANSWERED_SINCE, &nudge->since_asked);
	if (nudge->since_asked)
		since = value_by_hand(asked, row, REQUESTED_AT, &isnull);
	nudge->answered_since = DatumGetTimestampTz(since);
	if (is_word(value_by_hand(asked, row, WHEN_ANSWERED, &isnull), "send"))
		nudge->answered_since = DT_NOEND;
	else if (!nudge->since_asked && nudge->answered_since != DT_NOEND)
		nudge->answered_since = answer_last_moment(nudge->answered_since);
}

/* Of the rows: false, unless both are there.  A nudge of which nothing else is known is alone in its thread. */
static bool
read_asked(Asked *asked, const pg_uuid_t *nudge_id, LoadedNudge *nudge)
{
	TupleTableSlot *due = lookup_find(&asked->due, nudge_id);
	TupleTableSlot *row;

	if (due == NULL)
		return false;
	memset(nudge, 0, sizeof(LoadedNudge));
	slot_getallattrs(due);
	nudge->places.due = due->tts_tid;
	read_slot(due_columns, asked->due_places, lengthof(due_columns), due, nudge);
	row = lookup_find(&asked->nudges, nudge_id);
	if (row == NULL)
		return false;
	slot_getallattrs(row);
	nudge->places.nudge = row->tts_tid;
	read_slot(nudge_columns, asked->nudge_places, lengthof(nudge_columns), row, nudge);
	read_by_hand(asked, row, nudge);
	nudge->root = nudge->conversation_id;
	nudge->path = pstrdup(nudge->conversation_id);
	return true;
}

/* It was led on, or leads on, or there may be a call to be made again. */
static bool
may_have_story(Asked *asked, const LoadedNudge *nudge)
{
	return asked->unresolved || sessions_may_lead_to(&asked->sessions, nudge->conversation_id) ||
		sessions_have_successor(&asked->sessions, nudge->server, nudge->conversation_id);
}

/* The first of them may have a story. */
static int
load_asked(const pg_uuid_t *nudge_ids, int count, LoadedNudge *nudges, int *nthreaded)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Asked		asked;
	int			nnudges = 0;

	*nthreaded = 0;
	begin_asked(&asked, snapshot);
	for (int i = 0; i < count; i++)
	{
		LoadedNudge nudge;

		if (!read_asked(&asked, &nudge_ids[i], &nudge))
			continue;
		nudges[nnudges++] = nudge;
		if (!may_have_story(&asked, &nudge))
			continue;
		nudges[nnudges - 1] = nudges[*nthreaded];
		nudges[(*nthreaded)++] = nudge;
	}
	end_asked(&asked);
	UnregisterSnapshot(snapshot);
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
		"   CROSS JOIN LATERAL (SELECT l.named_by, l.address_hash FROM reengage_internal.sessions l"
		"     WHERE l.server = n.server AND l.previous_conversation_id = w.conversation_id"
		"       AND l.named_by IS NOT NULL OFFSET 0) l"
		"   WHERE w.place >= coalesce(pg_catalog.array_position(walk.conversations, n.conversation_id), 1)"
		"     AND w.place < pg_catalog.cardinality(walk.conversations)"
		"     AND l.address_hash IS DISTINCT FROM n.own_address_hash"
		"     AND l.named_by <> n.asker AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r"
		"       WHERE r.rolname = l.named_by AND pg_catalog.pg_has_role(r.oid, 'reengage_operator', 'USAGE') OFFSET 0)) AS strange"
		" FROM BATCH AS n"
		" CROSS JOIN LATERAL (SELECT coalesce(("
		"   SELECT l.root_conversation_id FROM ("
		"     SELECT * FROM reengage_internal.sessions l"
		"     WHERE l.server = n.server AND " IS_TEXT("l.conversation_id", "n.conversation_id") " AND l.generation > 0"
		"     OFFSET 0) l"
		"   ORDER BY l.lineage_id LIMIT 1), n.conversation_id) AS root OFFSET 0) r"
		" CROSS JOIN LATERAL ("
		"   WITH RECURSIVE step (conversation_id) AS ("
		"     SELECT r.root"
		/* not UNION ALL: it ends in a ring, without a list in each row of what was visited */
		"     UNION"
		"     SELECT l.conversation_id"
		"     FROM step CROSS JOIN LATERAL ("
		"       SELECT * FROM reengage_internal.sessions l"
		"       WHERE l.server = n.server AND l.previous_conversation_id = step.conversation_id"
		"       OFFSET 0) l)"
		"   SELECT pg_catalog.array_agg(step.conversation_id) AS conversations FROM step) walk"
		" CROSS JOIN LATERAL ("
		"   SELECT pg_catalog.array_to_string(walk.conversations, ',') AS path,"
		"     (SELECT l.made_at FROM reengage_internal.sessions l"
		"      WHERE l.server = n.server AND l.previous_conversation_id"
		"        = walk.conversations[pg_catalog.cardinality(walk.conversations) - 1] OFFSET 0) AS made_at,"
		/* there the walk ended although it went on */
		"     EXISTS (SELECT FROM reengage_internal.sessions l"
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
store_load(const pg_uuid_t *nudge_ids, int count, LoadedNudge **loaded)
{
	LoadedNudge *nudges = palloc(sizeof(LoadedNudge) * (count + 1));
	int			nthreaded;

	count = load_asked(nudge_ids, count, nudges, &nthreaded);
	if (nthreaded > 0)
		load_threads(nudges, nthreaded);
	if (count > 0 && !(table_is_empty("suppressions") && table_is_empty("answers")))
		load_words(nudges, count);
	for (int i = 0; i < count; i++)
		read_path(&nudges[i]);
	*loaded = nudges;
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
