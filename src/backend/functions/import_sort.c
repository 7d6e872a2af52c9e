/*
 * import_sort.c: see import_sort.h.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "functions/import_sort.h"

static const Oid sorted_types[SORTED_COLUMNS] = {
	INT8OID, TIDOID, INT2OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID, BOOLOID, BOOLOID, BOOLOID, TIMESTAMPTZOID
};

/* Of a conversation or a customer, what forbids comes first. */
typedef enum Kind
{
	KIND_NOTE,
	KIND_RECORD
} Kind;

typedef struct SortKey
{
	int			column;
	bool		descending;
	bool		nulls_first;
} SortKey;

/* Of records of one time what forbids counts. */
static const SortKey by_conversation[] = {
	{CONVERSATION_ID, false, false}, {KIND, false, false}, {EXTRACTED_AT, true, false}, {OCCURRED_AT, true, false},
	{WITHDRAWN, true, true}, {RECORD_NO, true, true}
};

static const SortKey by_customer[] = {
	{CUSTOMER, false, false}, {KIND, false, false}, {OCCURRED_AT, true, true}, {WITHDRAWN, true, true},
	{CONVERSATION_ID, true, true}
};

#define KEYS_MAX 6

/* --- putting ------------------------------------------------------------------------------ */

static TupleDesc
sorted_descriptor(void)
{
	TupleDesc	descriptor = CreateTemplateTupleDesc(SORTED_COLUMNS);

	for (int i = 0; i < SORTED_COLUMNS; i++)
		TupleDescInitEntry(descriptor, i + 1, NULL, sorted_types[i], -1, 0);
	descriptor_is_complete(descriptor);
	return descriptor;
}

static Tuplesortstate *
begin_sort(TupleDesc descriptor, const SortKey *keys, int count)
{
	AttrNumber	columns[KEYS_MAX];
	Oid			operators[KEYS_MAX];
	Oid			collations[KEYS_MAX];
	bool		nulls_first[KEYS_MAX];

	for (int i = 0; i < count; i++)
	{
		Oid			type = sorted_types[keys[i].column];
		TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_LT_OPR | TYPECACHE_GT_OPR);

		columns[i] = keys[i].column + 1;
		operators[i] = keys[i].descending ? entry->gt_opr : entry->lt_opr;
		collations[i] = type == TEXTOID ? C_COLLATION_OID : InvalidOid;
		nulls_first[i] = keys[i].nulls_first;
	}
	return tuplesort_begin_heap(descriptor, count, columns, operators, collations, nulls_first, work_mem, NULL, TUPLESORT_NONE);
}

static HistorySort *
begin_history_sort(const SortKey *keys, int count)
{
	HistorySort *sort = palloc0(sizeof(HistorySort));

	sort->descriptor = sorted_descriptor();
	sort->state = begin_sort(sort->descriptor, keys, count);
	sort->put = MakeSingleTupleTableSlot(sort->descriptor, &TTSOpsVirtual);
	sort->row = MakeSingleTupleTableSlot(sort->descriptor, &TTSOpsMinimalTuple);
	sort->named_by = keys[0].column;
	sort->of_group = AllocSetContextCreate(CurrentMemoryContext, "group of records of history", ALLOCSET_SMALL_SIZES);
	return sort;
}

HistorySort *
history_sort_by_conversation(void)
{
	return begin_history_sort(by_conversation, lengthof(by_conversation));
}

HistorySort *
history_sort_by_customer(void)
{
	return begin_history_sort(by_customer, lengthof(by_customer));
}

static void
put_row(HistorySort *sort, const Datum *values, const bool *nulls, Kind kind)
{
	TupleTableSlot *row = sort->put;

	ExecClearTuple(row);
	memcpy(row->tts_values, values, sizeof(Datum) * SORTED_COLUMNS);
	memcpy(row->tts_isnull, nulls, sizeof(bool) * SORTED_COLUMNS);
	row->tts_values[KIND] = Int16GetDatum(kind);
	row->tts_isnull[KIND] = false;
	tuplesort_puttupleslot(sort->state, ExecStoreVirtualTuple(row));
}

void
history_sort_put(HistorySort *sort, const Datum *values, const bool *nulls)
{
	put_row(sort, values, nulls, KIND_RECORD);
}

void
history_sort_put_note(HistorySort *sort, const char *name, MaybeTime extracted_at)
{
	Datum		values[SORTED_COLUMNS] = {0};
	bool		nulls[SORTED_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[sort->named_by] = CStringGetTextDatum(name);
	values[OUT_AT] = TimestampTzGetDatum(extracted_at.is_there ? extracted_at.time : DT_NOEND);
	nulls[sort->named_by] = nulls[OUT_AT] = false;
	put_row(sort, values, nulls, KIND_NOTE);
}

/* --- taking -------------------------------------------------------------------------------- */

void
history_sort_perform(HistorySort *sort)
{
	tuplesort_performsort(sort->state);
}

static bool
is_of_group(const HistorySort *sort, Datum name)
{
	struct varlena *one = (struct varlena *) DatumGetPointer(name);
	struct varlena *other = (struct varlena *) DatumGetPointer(sort->name);

	return other != NULL && VARSIZE_ANY_EXHDR(one) == VARSIZE_ANY_EXHDR(other) &&
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) == 0;
}

static void
begin_group(HistorySort *sort, Datum name)
{
	MemoryContext before;

	MemoryContextReset(sort->of_group);
	before = MemoryContextSwitchTo(sort->of_group);
	sort->name = PointerGetDatum(PG_DETOAST_DATUM_COPY(name));
	MemoryContextSwitchTo(before);
	sort->has_record = sort->out_at.is_there = false;
}

TupleTableSlot *
history_sort_next(HistorySort *sort)
{
	TupleTableSlot *row = sort->row;
	TimestampTz out_at;

	while (tuplesort_gettupleslot(sort->state, true, false, row, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(row);
		if (!is_of_group(sort, row->tts_values[sort->named_by]))
			begin_group(sort, row->tts_values[sort->named_by]);
		if (DatumGetInt16(row->tts_values[KIND]) == KIND_RECORD)
		{
			sort->is_first = !sort->has_record;
			sort->has_record = true;
			return row;
		}
		out_at = DatumGetTimestampTz(row->tts_values[OUT_AT]);
		if (!sort->out_at.is_there || out_at > sort->out_at.time)
			sort->out_at = (MaybeTime) {out_at, true};
	}
	return NULL;
}

void
history_sort_end(HistorySort *sort)
{
	tuplesort_end(sort->state);
	ExecDropSingleTupleTableSlot(sort->put);
	ExecDropSingleTupleTableSlot(sort->row);
	MemoryContextDelete(sort->of_group);
}
