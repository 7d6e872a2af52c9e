/*
 * import_threads.c: threads that begin with conversations of history.
 *
 * The rows of lineage are written as batches, without a statement: that takes
 * half the time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/rows.h"
#include "base/uuid_v7.h"
#include "store/lookup.h"
#include "store/table_write.h"

PG_FUNCTION_INFO_V1(reengage_import_write_threads);

/* As COPY writes at once. */
#define ROWS_AT_ONCE 1000

/* The columns of the type import_thread. */
enum
{
	THREAD_CONVERSATION_ID,
	THREAD_CHANNEL,
	THREAD_ADDRESS_HASH,
	THREAD_OCCURRED_AT,
	THREAD_DETAIL,
	THREAD_COLUMNS
};

typedef struct Thread
{
	char	   *conversation_id;
	Datum		values[THREAD_COLUMNS];
	bool		nulls[THREAD_COLUMNS];
} Thread;

/* Which columns of lineage have a value, in the order of the names below. */
typedef enum Written
{
	OF_THREAD,					/* as many as a thread has, but for its id */
	CHANNEL = OF_THREAD,
	ADDRESS_HASH,
	OCCURRED_AT,
	DETAIL,
	LINEAGE_ID,
	SERVER,
	OUTCOME,
	REQUESTED_CONVERSATION_ID,
	CONVERSATION_ID,
	ROOT_CONVERSATION_ID,
	GENERATION,
	ATTEMPTS,
	API_CALLS,
	API_CALLS_SAVED,
	RECORDED_AT,
	XACT_ID,
	WRITTEN_COLUMNS
} Written;

static const char *const column_names[] = {
	"channel", "address_hash", "occurred_at", "detail",
	"lineage_id", "server", "outcome", "requested_conversation_id", "conversation_id", "root_conversation_id",
	"generation", "attempts", "api_calls", "api_calls_saved", "recorded_at", "xact_id"
};

/* Where conversations are known: in lineage, and in what retention has let go of it. */
typedef struct Known
{
	Lookup		roots;
	Lookup		sessions;
	int			server;			/* places */
	int			conversation_id;
} Known;

typedef struct Beginning
{
	Relation	lineage;
	char	   *server;
	Datum		constants[WRITTEN_COLUMNS];	/* of those that all rows share */
	int			places[WRITTEN_COLUMNS];
	Known		now;
	Known		past;
	bool		has_past;
	MemoryContext of_batch;
	TupleTableSlot *rows[ROWS_AT_ONCE];
	int			count;
} Beginning;

static WrittenTable written;

/* --- what is to begin ------------------------------------------------------------------- */

static int
compare_threads(const void *one, const void *other)
{
	return strcmp(((const Thread *) one)->conversation_id, ((const Thread *) other)->conversation_id);
}

static void
read_thread(Datum value, Thread *thread)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	descriptor = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header};

	heap_deform_tuple(&tuple, descriptor, thread->values, thread->nulls);
	ReleaseTupleDesc(descriptor);
	if (thread->nulls[THREAD_CONVERSATION_ID] || thread->nulls[THREAD_OCCURRED_AT])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a thread begins with a conversation, at a time")));
	thread->conversation_id = TextDatumGetCString(thread->values[THREAD_CONVERSATION_ID]);
}

/* In the order of the indexes, where that is the order of bytes. */
static Thread *
read_threads(ArrayType *array, int *count)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	Thread	   *threads;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	deconstruct_array(array, type, length, by_value, align, &values, &nulls, count);
	threads = palloc(sizeof(Thread) * *count);
	for (int i = 0; i < *count; i++)
		read_thread(values[i], &threads[i]);
	qsort(threads, *count, sizeof(Thread), compare_threads);
	return threads;
}

/* --- what lineage knows ------------------------------------------------------------------ */

/* Another conversation may have the same number in the index. */
static bool
is_session(Known *known, const char *server, const char *conversation_id)
{
	Lookup	   *sessions = &known->sessions;

	if (!lookup_may_have(sessions, conversation_id))
		return false;
	do
	{
		slot_getallattrs(sessions->slot);
		if (slot_has_text(sessions->slot, known->conversation_id, conversation_id) &&
			slot_has_text(sessions->slot, known->server, server))
			return true;
	} while (lookup_next(sessions) != NULL);
	return false;
}

static bool
is_known_to(Known *known, const char *server, const char *conversation_id)
{
	return lookup_has(&known->roots, conversation_id, server) || is_session(known, server, conversation_id);
}

static bool
is_known(Beginning *beginning, const char *conversation_id)
{
	return is_known_to(&beginning->now, beginning->server, conversation_id) ||
		(beginning->has_past && is_known_to(&beginning->past, beginning->server, conversation_id));
}

static Known
known_begin(const char *table, const char *roots, const char *sessions, Snapshot snapshot)
{
	Known		known = {
		.roots = lookup_begin_texts(table, roots, 2, snapshot),
		.sessions = lookup_begin_number(table, sessions, snapshot),
	};

	known.server = column_place(RelationGetDescr(known.roots.table), "server");
	known.conversation_id = column_place(RelationGetDescr(known.roots.table), "conversation_id");
	return known;
}

static void
known_end(Known *known)
{
	lookup_end(&known->roots);
	lookup_end(&known->sessions);
}

/* --- writing ------------------------------------------------------------------------------ */

static void
set_constants(Beginning *beginning, Datum server, Datum position)
{
	Datum	   *constants = beginning->constants;

	constants[SERVER] = server;
	constants[OUTCOME] = CStringGetTextDatum("imported");
	constants[GENERATION] = constants[ATTEMPTS] = constants[API_CALLS] = constants[API_CALLS_SAVED] = Int32GetDatum(0);
	constants[XACT_ID] = position;
}

static void
fill_row(const Beginning *beginning, const Thread *thread, TupleTableSlot *row)
{
	pg_uuid_t  *lineage_id = palloc(sizeof(pg_uuid_t));
	Datum		values[WRITTEN_COLUMNS];
	bool		nulls[WRITTEN_COLUMNS] = {false};

	memcpy(values, beginning->constants, sizeof(values));
	for (int i = THREAD_CHANNEL; i < THREAD_COLUMNS; i++)
	{
		values[OF_THREAD + i - THREAD_CHANNEL] = thread->values[i];
		nulls[OF_THREAD + i - THREAD_CHANNEL] = thread->nulls[i];
	}
	uuid_v7_generate(lineage_id);
	values[LINEAGE_ID] = UUIDPGetDatum(lineage_id);
	values[RECORDED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[REQUESTED_CONVERSATION_ID] = values[CONVERSATION_ID] = values[ROOT_CONVERSATION_ID] =
		thread->values[THREAD_CONVERSATION_ID];
	for (int i = 0; i < WRITTEN_COLUMNS; i++)
	{
		row->tts_values[beginning->places[i]] = values[i];
		row->tts_isnull[beginning->places[i]] = nulls[i];
	}
}

static void
write_down(Beginning *beginning)
{
	table_write(&written, beginning->rows, beginning->count);
	beginning->count = 0;
	MemoryContextReset(beginning->of_batch);
}

static void
begin_thread(Beginning *beginning, const Thread *thread)
{
	MemoryContext before = MemoryContextSwitchTo(beginning->of_batch);

	if (!is_known(beginning, thread->conversation_id))
	{
		TupleTableSlot *row = table_write_row(&written);

		fill_row(beginning, thread, row);
		row->tts_tableOid = RelationGetRelid(beginning->lineage);
		beginning->rows[beginning->count++] = ExecStoreVirtualTuple(row);
	}
	MemoryContextSwitchTo(before);
	if (beginning->count == ROWS_AT_ONCE)
		write_down(beginning);
}

static void
begin_threads(Relation lineage, ArrayType *array, Datum server, Datum position)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Beginning	beginning = {
		.lineage = lineage,
		.server = TextDatumGetCString(server),
		.now = known_begin("lineage", "lineage_thread", "lineage_conversation", snapshot),
		.has_past = !table_is_empty("past_sessions"),
		.of_batch = AllocSetContextCreate(CurrentMemoryContext, "threads that begin", ALLOCSET_DEFAULT_SIZES),
	};
	int			count;
	Thread	   *threads = read_threads(array, &count);

	if (beginning.has_past)
		beginning.past = known_begin("past_sessions", "past_sessions_thread", "past_sessions_conversation", snapshot);
	for (int i = 0; i < WRITTEN_COLUMNS; i++)
		beginning.places[i] = column_place(RelationGetDescr(lineage), column_names[i]);
	set_constants(&beginning, server, position);
	table_write_begin(&written, lineage);
	for (int i = 0; i < count; i++)
		begin_thread(&beginning, &threads[i]);
	write_down(&beginning);
	table_write_end(&written);
	known_end(&beginning.now);
	if (beginning.has_past)
		known_end(&beginning.past);
	UnregisterSnapshot(snapshot);
}

/* False: somebody has put a trigger on lineage, which only a statement fires. */
Datum
reengage_import_write_threads(PG_FUNCTION_ARGS)
{
	Relation	lineage = open_table("lineage", RowExclusiveLock, ACL_INSERT);
	bool		fires = fires_insert(lineage->trigdesc);

	if (!fires)
		begin_threads(lineage, PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_DATUM(0), PG_GETARG_DATUM(2));
	table_close(lineage, NoLock);
	PG_RETURN_BOOL(!fires);
}
