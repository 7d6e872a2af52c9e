/*
 * import_unasked.c: the ids of an import's nudges, and which of them a campaign
 * does not have yet.
 *
 * Each is looked for in five indexes, which takes half the time without a
 * statement.  Whoever may import sees all rows of these tables.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "base/rows.h"
#include "store/lookup.h"

PG_FUNCTION_INFO_V1(reengage_import_nudge_ids);
PG_FUNCTION_INFO_V1(reengage_import_unasked);

/* The columns of the type import_nudge that are looked at. */
enum
{
	REASON = 1,
	NUDGE_ID,
	CONVERSATION_ID,
	NUDGE_COLUMNS = 9
};

typedef struct Nudge
{
	Datum		whole;			/* without its id */
	pg_uuid_t	nudge_id;
	bool		has_id;			/* a dry run may have no key to make it with */
	char	   *conversation_id;
} Nudge;

/* Rows of a conversation, and where they tell their server and campaign. */
typedef struct Rows
{
	Lookup		lookup;
	int			server;
	int			campaign;
	int			conversation_id;	/* -1: the index is of the whole of it */
} Rows;

typedef struct Campaign
{
	const char *server;
	const char *campaign;
	Lookup		ids;
	Lookup		pruned;
	bool		has_pruned;
	Rows		asked;
	Rows		threads;
	Rows		sessions;
} Campaign;

/* --- arrays of nudges -------------------------------------------------------------------- */

static int
compare_nudges(const void *one, const void *other)
{
	return memcmp(&((const Nudge *) one)->nudge_id, &((const Nudge *) other)->nudge_id, sizeof(pg_uuid_t));
}

static void
take_apart(Datum whole, TupleDesc descriptor, Datum *values, bool *nulls)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(whole);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header};

	heap_deform_tuple(&tuple, descriptor, values, nulls);
}

/* False: it is not to be asked for. */
static bool
read_nudge(Datum whole, TupleDesc descriptor, Nudge *nudge)
{
	Datum		values[NUDGE_COLUMNS];
	bool		nulls[NUDGE_COLUMNS];

	take_apart(whole, descriptor, values, nulls);
	if (nulls[REASON])
		return false;
	if (nulls[CONVERSATION_ID])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a nudge must have a conversation")));
	*nudge = (Nudge) {.whole = whole, .conversation_id = TextDatumGetCString(values[CONVERSATION_ID])};
	return true;
}

static Datum
with_its_id(const Nudge *nudge, TupleDesc descriptor)
{
	Datum		values[NUDGE_COLUMNS];
	bool		nulls[NUDGE_COLUMNS];

	if (!nudge->has_id)
		return nudge->whole;
	take_apart(nudge->whole, descriptor, values, nulls);
	values[NUDGE_ID] = UUIDPGetDatum(&nudge->nudge_id);
	nulls[NUDGE_ID] = false;
	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}

/* --- what there is ------------------------------------------------------------------------ */

static Rows
rows_of(Lookup lookup, bool by_number)
{
	TupleDesc	columns = RelationGetDescr(lookup.table);

	return (Rows) {
		.lookup = lookup,
		.server = column_place(columns, "server"),
		.campaign = column_place(columns, "campaign"),
		.conversation_id = by_number ? column_place(columns, "conversation_id") : -1,
	};
}

/* Is any of those that were found, and come yet, of the campaign? */
static bool
any_is_of(Rows *rows, const Campaign *campaign, const char *conversation_id)
{
	TupleTableSlot *row = rows->lookup.slot;

	do
	{
		slot_getallattrs(row);
		if (slot_has_text(row, rows->campaign, campaign->campaign) &&
			slot_has_text(row, rows->server, campaign->server) &&
			(rows->conversation_id < 0 || slot_has_text(row, rows->conversation_id, conversation_id)))
			return true;
	} while (lookup_next(&rows->lookup) != NULL);
	return false;
}

static bool
has_id(Campaign *campaign, const pg_uuid_t *nudge_id)
{
	return lookup_find(&campaign->ids, nudge_id) != NULL ||
		(campaign->has_pruned && lookup_find(&campaign->pruned, nudge_id) != NULL);
}

static bool
has_nudge(Campaign *campaign, const Nudge *nudge)
{
	const char *conversation_id = nudge->conversation_id;

	/* by their conversations first, in whose order they come */
	return (lookup_has(&campaign->asked.lookup, conversation_id, NULL) &&
			any_is_of(&campaign->asked, campaign, conversation_id)) ||
		(lookup_has(&campaign->threads.lookup, conversation_id, campaign->server) &&
		 any_is_of(&campaign->threads, campaign, conversation_id)) ||
		(lookup_may_have(&campaign->sessions.lookup, conversation_id) &&
		 any_is_of(&campaign->sessions, campaign, conversation_id)) ||
		(nudge->has_id && has_id(campaign, &nudge->nudge_id));
}

static Campaign
campaign_begin(const char *server, const char *name, Snapshot snapshot)
{
	Campaign	campaign = {
		.server = server,
		.campaign = name,
		.ids = lookup_begin("nudges", "nudges_pkey", snapshot),
		.has_pruned = !table_is_empty("pruned_nudges"),
		.asked = rows_of(lookup_begin_texts("nudges", "nudges_conversation", 1, snapshot), false),
		.threads = rows_of(lookup_begin_texts("lineage", "lineage_thread", 2, snapshot), false),
		.sessions = rows_of(lookup_begin_number("lineage", "lineage_conversation", snapshot), true),
	};

	if (campaign.has_pruned)
		campaign.pruned = lookup_begin("pruned_nudges", "pruned_nudges_pkey", snapshot);
	return campaign;
}

static void
campaign_end(Campaign *campaign)
{
	lookup_end(&campaign->ids);
	if (campaign->has_pruned)
		lookup_end(&campaign->pruned);
	lookup_end(&campaign->asked.lookup);
	lookup_end(&campaign->threads.lookup);
	lookup_end(&campaign->sessions.lookup);
}

/* --- ids ----------------------------------------------------------------------------------- */

/* What a nudge is known by: of a server and a campaign, for a customer. */
static void
add_to_hash(pg_cryptohash_ctx *context, const char *text)
{
	if (pg_cryptohash_update(context, (const uint8 *) text, strlen(text)) < 0)
		elog(ERROR, "could not compute the hash of a nudge's id");
}

static pg_uuid_t
nudge_id_of(pg_cryptohash_ctx *context, const char *beginning, const char *address_hash)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_uuid_t	nudge_id;

	if (pg_cryptohash_init(context) < 0)
		elog(ERROR, "could not compute the hash of a nudge's id");
	add_to_hash(context, beginning);
	if (address_hash != NULL)
	{
		add_to_hash(context, "\x1f");
		add_to_hash(context, address_hash);
	}
	if (pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute the hash of a nudge's id");
	memcpy(nudge_id.data, digest, UUID_LEN);
	/* version 8, whose bits are the application's */
	nudge_id.data[6] = 0x80 | (digest[6] & 0x0f);
	nudge_id.data[8] = 0x80 | (digest[8] & 0x0f);
	return nudge_id;
}

/* What the ids of a campaign have in common. */
static const char *
ids_begin_with(const char *server, const char *campaign)
{
	return psprintf("%s\x1f%s", to_utf8(server), to_utf8(campaign));
}

Datum
reengage_import_nudge_ids(PG_FUNCTION_ARGS)
{
	const char *beginning = ids_begin_with(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	Datum	   *values;
	bool	   *nulls;
	int			count;
	pg_uuid_t  *ids;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	ids = palloc(sizeof(pg_uuid_t) * Max(count, 1));
	for (int i = 0; i < count; i++)
		ids[i] = nudge_id_of(context, beginning, nulls[i] ? NULL : TextDatumGetCString(values[i]));
	pg_cryptohash_free(context);
	PG_RETURN_DATUM(uuid_array(ids, count));
}

/* --- which there are not --------------------------------------------------------------------- */

/* Those of an array that are to be asked for. */
static Nudge *
read_nudges(ArrayType *array, TupleDesc descriptor, ArrayType *hashes, const char *ids_begin, int *count)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	Datum	   *values;
	Datum	   *customers = NULL;
	bool	   *nulls;
	int			ncustomers = 0;
	int			nvalues;
	Nudge	   *nudges;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &values, NULL, &nvalues);
	if (hashes != NULL)
		deconstruct_array(hashes, TEXTOID, -1, false, TYPALIGN_INT, &customers, &nulls, &ncustomers);
	nudges = palloc(sizeof(Nudge) * Max(nvalues, 1));
	*count = 0;
	for (int i = 0; i < nvalues; i++)
	{
		Nudge	   *nudge = &nudges[*count];

		if (!read_nudge(values[i], descriptor, nudge))
			continue;
		nudge->has_id = i < ncustomers && !nulls[i];
		if (nudge->has_id)
			nudge->nudge_id = nudge_id_of(context, ids_begin, TextDatumGetCString(customers[i]));
		(*count)++;
	}
	pg_cryptohash_free(context);
	return nudges;
}

/* Those that there are not come first; how many. */
static int
keep_unasked(const char *server, const char *campaign_name, Nudge *nudges, int count)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Campaign	campaign = campaign_begin(server, campaign_name, snapshot);
	int			unasked = 0;

	for (int i = 0; i < count; i++)
		if (!has_nudge(&campaign, &nudges[i]))
			nudges[unasked++] = nudges[i];
	campaign_end(&campaign);
	UnregisterSnapshot(snapshot);
	return unasked;
}

/*
 * They are looked for in the order in which they are given, best that of their
 * conversations, and returned in that of their ids: those of the indexes.
 */
Datum
reengage_import_unasked(PG_FUNCTION_ARGS)
{
	const char *server;
	const char *campaign;
	Oid			type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	TupleDesc	descriptor;
	Nudge	   *nudges;
	Datum	   *values;
	int			count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	server = text_to_cstring(PG_GETARG_TEXT_PP(0));
	campaign = text_to_cstring(PG_GETARG_TEXT_PP(1));
	descriptor = lookup_rowtype_tupdesc(type, -1);
	nudges = read_nudges(PG_GETARG_ARRAYTYPE_P(2), descriptor, PG_ARGISNULL(3) ? NULL : PG_GETARG_ARRAYTYPE_P(3),
						 ids_begin_with(server, campaign), &count);
	count = keep_unasked(server, campaign, nudges, count);
	qsort(nudges, count, sizeof(Nudge), compare_nudges);
	values = palloc(sizeof(Datum) * Max(count, 1));
	for (int i = 0; i < count; i++)
		values[i] = with_its_id(&nudges[i], descriptor);
	ReleaseTupleDesc(descriptor);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, count, type, -1, false, TYPALIGN_DOUBLE));
}
