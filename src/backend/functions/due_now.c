/*
 * due_now.c: how many nudges of a campaign wait at a server for their turn, and not
 * for their time: a part of campaign_status.
 *
 * Counters do not know what time it is.  So of a server what is still to come is
 * looked at, or what has come, where either is not too much; once for all campaigns
 * that a statement asks for.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/rows.h"
#include "store/lookup.h"
#include "store/waiting.h"

PG_FUNCTION_INFO_V1(reengage_due_now);

/* So many nudges are looked at of a server, and so many in all. */
#define SIDE_MOST 2500
#define LOOKS_MOST 10000

typedef struct KnownServer
{
	char		name[NAMEDATALEN];
	bool		is_known;		/* of both, what has come and what is to come, there are not too many */
	bool		has_come;		/* the campaigns are of what has come */
	text	  **campaigns;		/* of each nudge that waits for nothing else, sorted */
	int			count;
} KnownServer;

/* For as long as the statement runs. */
typedef struct Known
{
	MemoryContext context;
	HTAB	   *servers;
	int64		looks_left;
	text	   *asker;			/* NULL: whoever looks may see those of all */
	pg_uuid_t  *calling;		/* nudges that are on the wire, sorted */
	int			ncalling;
} Known;

static int
compare_texts(const void *one, const void *other)
{
	const text *a = *(text *const *) one;
	const text *b = *(text *const *) other;
	int			length = Min(VARSIZE_ANY_EXHDR(a), VARSIZE_ANY_EXHDR(b));
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), length);

	return order != 0 ? order : (int) VARSIZE_ANY_EXHDR(a) - (int) VARSIZE_ANY_EXHDR(b);
}

static int
compare_ids(const void *one, const void *other)
{
	return memcmp(one, other, sizeof(pg_uuid_t));
}

static void
note_calling(Known *known, ArrayType *calling)
{
	Datum	   *ids;

	deconstruct_array(calling, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &ids, NULL, &known->ncalling);
	known->calling = palloc(sizeof(pg_uuid_t) * Max(known->ncalling, 1));
	for (int i = 0; i < known->ncalling; i++)
		known->calling[i] = *DatumGetUUIDP(ids[i]);
	qsort(known->calling, known->ncalling, sizeof(pg_uuid_t), compare_ids);
}

static Known *
begin_knowing(MemoryContext context, const text *asker, ArrayType *calling)
{
	HASHCTL		control = {.keysize = NAMEDATALEN, .entrysize = sizeof(KnownServer), .hcxt = context};
	MemoryContext before = MemoryContextSwitchTo(context);
	Known	   *known = palloc(sizeof(Known));

	*known = (Known) {.context = context, .looks_left = LOOKS_MOST};
	known->servers = hash_create("reengage servers", 16, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	if (asker != NULL)
		known->asker = DatumGetTextPCopy(PointerGetDatum(asker));
	note_calling(known, calling);
	MemoryContextSwitchTo(before);
	return known;
}

static bool
is_of_asker(const Known *known, text *asker)
{
	if (known->asker == NULL || asker == NULL)
		return known->asker == asker;
	return compare_texts(&known->asker, &asker) == 0;
}

/* Those of a server that are the asker's, or all (NULL). */
static WaitingLane *
find_lanes(Waiting *waiting, text *server, text *asker, int *count)
{
	int			room = 16;
	WaitingLane *lanes = palloc(sizeof(WaitingLane) * room);

	*count = 0;
	for (const WaitingLane *lane = waiting_first(waiting, server); lane != NULL; lane = waiting_next(waiting))
	{
		if (compare_texts(&lane->server, &server) != 0)
			break;
		if (asker != NULL && compare_texts(&lane->requested_by, &asker) != 0)
			continue;
		if (*count == room)
			lanes = repalloc(lanes, sizeof(WaitingLane) * (room *= 2));
		lanes[(*count)++] = waiting_copy(lane);
	}
	return lanes;
}

static int64
count_side(Waiting *waiting, const WaitingLane *lanes, int count, TimestampTz from, TimestampTz to)
{
	int64		nudges = 0;

	for (int i = 0; i < count; i++)
		nudges += waiting_count(waiting, &lanes[i], from, to, SIDE_MOST + 1 - nudges);
	return nudges;
}

static text *
campaign_of(Lookup *nudges, int place, const pg_uuid_t *nudge_id)
{
	TupleTableSlot *nudge = lookup_find(nudges, nudge_id);
	bool		isnull = true;
	Datum		campaign = nudge != NULL ? slot_getattr(nudge, place + 1, &isnull) : (Datum) 0;

	return isnull ? cstring_to_text("") : DatumGetTextPCopy(campaign);
}

/* Of the nudges of a lane those that wait for nothing but their time, or turn. */
static void
note_campaigns(const Known *known, KnownServer *server, Waiting *waiting, Lookup *nudges)
{
	int			campaign = column_place(RelationGetDescr(nudges->table), "campaign");
	int			id = column_place(RelationGetDescr(waiting->table), "nudge_id");
	int			hold = column_place(RelationGetDescr(waiting->table), "hold");

	for (TupleTableSlot *row = waiting_row(waiting); row != NULL; row = waiting_row(waiting))
	{
		const pg_uuid_t *nudge_id;

		slot_getallattrs(row);
		nudge_id = DatumGetUUIDP(row->tts_values[id]);
		if (row->tts_isnull[hold] && server->count < SIDE_MOST &&
			bsearch(nudge_id, known->calling, known->ncalling, sizeof(pg_uuid_t), compare_ids) == NULL)
			server->campaigns[server->count++] = campaign_of(nudges, campaign, nudge_id);
	}
}

static void
look_at_server(Known *known, KnownServer *server, text *name, text *asker)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Waiting		waiting;
	WaitingLane *lanes;
	int			nlanes;
	int64		come;
	int64		to_come;
	MemoryContext before;

	server->count = 0;
	waiting_begin(&waiting);
	lanes = find_lanes(&waiting, name, asker, &nlanes);
	come = count_side(&waiting, lanes, nlanes, DT_NOBEGIN, now);
	to_come = count_side(&waiting, lanes, nlanes, now + 1, DT_NOEND);
	server->has_come = come < to_come;
	server->is_known = Min(come, to_come) <= Min(SIDE_MOST, known->looks_left);
	if (server->is_known)
	{
		Lookup		nudges = lookup_begin_for_all("nudges", "nudges_pkey", GetActiveSnapshot());

		known->looks_left -= Min(come, to_come);
		before = MemoryContextSwitchTo(known->context);
		server->campaigns = palloc(sizeof(text *) * (Min(come, to_come) + 1));
		for (int i = 0; i < nlanes && Min(come, to_come) > 0; i++)
		{
			waiting_rows(&waiting, &lanes[i], server->has_come ? DT_NOBEGIN : now + 1, server->has_come ? now : DT_NOEND);
			note_campaigns(known, server, &waiting, &nudges);
		}
		MemoryContextSwitchTo(before);
		lookup_end(&nudges);
		qsort(server->campaigns, server->count, sizeof(text *), compare_texts);
	}
	waiting_end(&waiting);
}

static int64
count_of_campaign(const KnownServer *server, text *campaign)
{
	text	  **found = bsearch(&campaign, server->campaigns, server->count, sizeof(text *), compare_texts);
	text	  **first = found;
	text	  **end = server->campaigns + server->count;

	if (found == NULL)
		return 0;
	while (first > server->campaigns && compare_texts(first - 1, &campaign) == 0)
		first--;
	while (found < end && compare_texts(found, &campaign) == 0)
		found++;
	return found - first;
}

Datum
reengage_due_now(PG_FUNCTION_ARGS)
{
	text	   *name;
	text	   *campaign = PG_ARGISNULL(1) ? cstring_to_text("") : PG_GETARG_TEXT_PP(1);
	text	   *asker = PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3);
	Known	   *known = fcinfo->flinfo->fn_extra;
	KnownServer *server;
	char		key[NAMEDATALEN];
	bool		found;
	int64		nudges;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	name = PG_GETARG_TEXT_PP(0);
	if (known == NULL || !is_of_asker(known, asker))
		fcinfo->flinfo->fn_extra = known = begin_knowing(fcinfo->flinfo->fn_mcxt, asker, PG_GETARG_ARRAYTYPE_P(4));
	text_to_cstring_buffer(name, key, sizeof(key));
	server = hash_search(known->servers, key, HASH_ENTER, &found);
	if (!found)
		look_at_server(known, server, name, asker);
	if (!server->is_known)
		PG_RETURN_NULL();
	nudges = count_of_campaign(server, campaign);
	PG_RETURN_INT64(server->has_come ? nudges : PG_GETARG_INT64(2) - nudges);
}
