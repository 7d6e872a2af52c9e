/*
 * import_plan.c: what becomes of each record of history, as far as the source
 * alone tells.
 *
 * Two sorts, the second fed by what comes out of the first: by conversation,
 * whose newest record speaks for it, whatever its defects; and by customer, of
 * whose conversations the newest one counts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "functions/import_record.h"
#include "functions/import_sort.h"
#include "functions/import_verdict.h"
#include "store/row_stream.h"

PG_FUNCTION_INFO_V1(reengage_import_judge);

/* The columns of the result. */
enum
{
	PLAN_RECORD_NO,
	PLAN_STORED_AT,
	PLAN_REASON,
	PLAN_CONVERSATION_ID,
	PLAN_CHANNEL,
	PLAN_ADDRESS,
	PLAN_CUSTOMER,
	PLAN_OCCURRED_AT,
	PLAN_ANSWERED_SINCE,
	PLAN_TIME_ZONE,
	PLAN_SAID_ZONE,
	PLAN_DETAIL,
	PLAN_COLUMNS
};

typedef struct Judging
{
	DestReceiver receiver;		/* of records; the first member */
	Rules		rules;
	ReturnSetInfo *result;
	HistorySort *conversations;
	HistorySort *customers;
	MemoryContext of_record;
} Judging;

/* --- what is known in the end ------------------------------------------------------------------- */

static void
put_plan(Judging *judging, Datum *values, bool *nulls, const char *reason)
{
	ReturnSetInfo *result = judging->result;

	values[PLAN_REASON] = CStringGetTextDatum(reason);
	nulls[PLAN_REASON] = false;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Of a record that gets nothing, no more is needed. */
static void
plan_defect(Judging *judging, Datum record_no, Datum stored_at, const char *reason)
{
	Datum		values[PLAN_COLUMNS] = {0};
	bool		nulls[PLAN_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[PLAN_RECORD_NO] = record_no;
	values[PLAN_STORED_AT] = stored_at;
	nulls[PLAN_RECORD_NO] = nulls[PLAN_STORED_AT] = false;
	put_plan(judging, values, nulls, reason);
}

/* What the extract cuts off a time is no answer of the customer's. */
static TimestampTz
answered_since(TimestampTz last_seen_at)
{
	if (last_seen_at % USECS_PER_MINUTE == 0)
		return last_seen_at + USECS_PER_MINUTE;
	return last_seen_at + (last_seen_at % USECS_PER_SEC == 0 ? USECS_PER_SEC : 1000);
}

static void
plan_record(Judging *judging, TupleTableSlot *row, const char *reason)
{
	static const int taken_from[PLAN_COLUMNS] = {
		[PLAN_RECORD_NO] = RECORD_NO, [PLAN_STORED_AT] = STORED_AT, [PLAN_CONVERSATION_ID] = CONVERSATION_ID,
		[PLAN_CHANNEL] = CHANNEL, [PLAN_ADDRESS] = ADDRESS, [PLAN_CUSTOMER] = CUSTOMER,
		[PLAN_OCCURRED_AT] = OCCURRED_AT, [PLAN_ANSWERED_SINCE] = LAST_SEEN_AT,
		[PLAN_TIME_ZONE] = TIME_ZONE, [PLAN_SAID_ZONE] = SAID_ZONE,
		[PLAN_DETAIL] = DETAIL
	};
	Datum		values[PLAN_COLUMNS];
	bool		nulls[PLAN_COLUMNS];

	for (int i = 0; i < PLAN_COLUMNS; i++)
	{
		values[i] = row->tts_values[taken_from[i]];
		nulls[i] = row->tts_isnull[taken_from[i]];
	}
	values[PLAN_ANSWERED_SINCE] = TimestampTzGetDatum(answered_since(DatumGetTimestampTz(values[PLAN_ANSWERED_SINCE])));
	put_plan(judging, values, nulls, reason);
}

/* --- records, as they are read --------------------------------------------------------------------- */

static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	values[column] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static void
set_time(Datum *values, bool *nulls, int column, MaybeTime time)
{
	nulls[column] = !time.is_there;
	values[column] = TimestampTzGetDatum(time.time);
}

static void
sort_record(HistorySort *sort, Verdict *verdict)
{
	Datum		values[SORTED_COLUMNS];
	bool		nulls[SORTED_COLUMNS] = {false};

	values[RECORD_NO] = Int64GetDatum(verdict->record_no);
	values[STORED_AT] = PointerGetDatum(&verdict->stored_at);
	values[KIND] = (Datum) 0;
	values[UNKNOWN_STATUS] = BoolGetDatum(verdict->unknown_status);
	values[UNKNOWN_ZONE] = BoolGetDatum(verdict->unknown_zone);
	values[WITHDRAWN] = BoolGetDatum(verdict->withdrawn);
	set_text(values, nulls, DEFECT, verdict->id_defect != NULL ? verdict->id_defect : verdict->defect);
	set_text(values, nulls, CONVERSATION_ID, verdict->conversation_id);
	set_text(values, nulls, CHANNEL, verdict->channel);
	set_text(values, nulls, ADDRESS, verdict->address);
	set_text(values, nulls, CUSTOMER, verdict->customer);
	set_text(values, nulls, TIME_ZONE, verdict->time_zone);
	set_text(values, nulls, SAID_ZONE, verdict->said_zone);
	set_time(values, nulls, OCCURRED_AT, verdict->occurred_at);
	set_time(values, nulls, EXTRACTED_AT, verdict->extracted_at);
	set_time(values, nulls, LAST_SEEN_AT, verdict->last_seen_at);
	values[DETAIL] = verdict->detail;
	nulls[DETAIL] = verdict->detail == (Datum) 0;
	values[OUT_AT] = (Datum) 0;
	nulls[OUT_AT] = true;
	history_sort_put(sort, values, nulls);
}

/* A record without a conversation still speaks for its customer, where it forbids. */
static void
add_record(Judging *judging, Verdict *verdict)
{
	if (verdict->opted_out && verdict->customer != NULL)
		history_sort_put_note(judging->customers, verdict->customer, verdict->extracted_at);
	if (verdict->id_defect == NULL)
	{
		if (verdict->opted_out)
			history_sort_put_note(judging->conversations, verdict->conversation_id, verdict->extracted_at);
		sort_record(judging->conversations, verdict);
		return;
	}
	if (verdict->withdrawn && verdict->customer != NULL)
		sort_record(judging->customers, verdict);
	plan_defect(judging, Int64GetDatum(verdict->record_no), PointerGetDatum(&verdict->stored_at), verdict->id_defect);
}

static bool
receive_record(TupleTableSlot *row, DestReceiver *receiver)
{
	Judging	   *judging = (Judging *) receiver;
	MemoryContext before = MemoryContextSwitchTo(judging->of_record);
	Verdict		verdict;

	slot_getallattrs(row);
	verdict = verdict_of(&judging->rules, row);
	add_record(judging, &verdict);
	MemoryContextSwitchTo(before);
	MemoryContextReset(judging->of_record);
	return true;
}

static void
begin_records(DestReceiver *receiver, int operation, TupleDesc descriptor)
{
	verdict_check_columns(descriptor);
}

static void
read_records(Judging *judging)
{
	judging->receiver.rStartup = begin_records;
	judging->receiver.receiveSlot = receive_record;
	stream_rows(psprintf("SELECT %s FROM pg_temp.reengage_import_record h", verdict_columns), &judging->receiver);
}

/* --- records, as they are compared ------------------------------------------------------------------ */

/* Who withdrew the consent in the newest conversation gets nothing for an older one. */
static void
compare_with_others(Judging *judging, TupleTableSlot *row, MaybeTime out_at)
{
	if (!row->tts_isnull[CUSTOMER] && (row->tts_isnull[DEFECT] || DatumGetBool(row->tts_values[WITHDRAWN])))
	{
		row->tts_isnull[OUT_AT] = !out_at.is_there;
		row->tts_values[OUT_AT] = TimestampTzGetDatum(out_at.time);
		history_sort_put(judging->customers, row->tts_values, row->tts_isnull);
	}
	if (!row->tts_isnull[DEFECT])
		plan_defect(judging, row->tts_values[RECORD_NO], row->tts_values[STORED_AT], TextDatumGetCString(row->tts_values[DEFECT]));
}

static void
judge_conversations(Judging *judging)
{
	HistorySort *sort = judging->conversations;
	TupleTableSlot *row;

	history_sort_perform(sort);
	while ((row = history_sort_next(sort)) != NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(judging->of_record);

		if (sort->is_first)
			compare_with_others(judging, row, sort->out_at);
		else
			plan_defect(judging, row->tts_values[RECORD_NO], row->tts_values[STORED_AT], "older_record");
		MemoryContextSwitchTo(before);
		MemoryContextReset(judging->of_record);
	}
	history_sort_end(sort);
}

static bool
has_opted_out(TupleTableSlot *row, MaybeTime customer_out_at)
{
	MaybeTime	conversation_out_at = {DatumGetTimestampTz(row->tts_values[OUT_AT]), !row->tts_isnull[OUT_AT]};
	MaybeTime	out_at = later_of(customer_out_at, conversation_out_at);

	/* unless a later extract knows better */
	return out_at.is_there &&
		(row->tts_isnull[EXTRACTED_AT] || DatumGetTimestampTz(row->tts_values[EXTRACTED_AT]) <= out_at.time);
}

static const char *
reason_of(const Judging *judging, TupleTableSlot *row)
{
	if (has_opted_out(row, judging->customers->out_at))
		return "opted_out";
	if (DatumGetTimestampTz(row->tts_values[OCCURRED_AT]) < judging->rules.too_old_before)
		return "too_old";
	if (!judging->customers->is_first)
		return "older_conversation";
	if (DatumGetBool(row->tts_values[UNKNOWN_STATUS]))
		return "unknown_status";
	return DatumGetBool(row->tts_values[UNKNOWN_ZONE]) ? "unknown_time_zone" : "accepted";
}

static void
judge_customers(Judging *judging)
{
	TupleTableSlot *row;

	history_sort_perform(judging->customers);
	while ((row = history_sort_next(judging->customers)) != NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(judging->of_record);

		/* what has a defect is in the plan, and was here to be compared */
		if (row->tts_isnull[DEFECT])
			plan_record(judging, row, reason_of(judging, row));
		MemoryContextSwitchTo(before);
		MemoryContextReset(judging->of_record);
	}
	history_sort_end(judging->customers);
}

/* --- the function ---------------------------------------------------------------------------------------- */

static int
compare_words(const void *one, const void *other)
{
	return strcmp(*(const char *const *) one, *(const char *const *) other);
}

static const char *
text_argument(FunctionCallInfo fcinfo, int place)
{
	return PG_ARGISNULL(place) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(place));
}

/* import_judge(future_after, too_old_before, date_order, country_code, heading, words) */
static Rules
rules_of(FunctionCallInfo fcinfo)
{
	Rules		rules = {
		.future_after = PG_ARGISNULL(0) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(0),
		.too_old_before = PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1),
		.date_order = date_order_named(text_argument(fcinfo, 2)),
		.country_code = text_argument(fcinfo, 3),
		.heading = text_argument(fcinfo, 4),
		.memory = CurrentMemoryContext,
	};
	Datum	   *words;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(5))
		return rules;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(5), TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &count);
	rules.words = palloc(sizeof(char *) * Max(count, 1));
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			rules.words[rules.nwords++] = TextDatumGetCString(words[i]);
	qsort(rules.words, rules.nwords, sizeof(char *), compare_words);
	return rules;
}

Datum
reengage_import_judge(PG_FUNCTION_ARGS)
{
	Judging		judging = {.rules = rules_of(fcinfo)};

	InitMaterializedSRF(fcinfo, 0);
	judging.result = (ReturnSetInfo *) fcinfo->resultinfo;
	judging.of_record = AllocSetContextCreate(CurrentMemoryContext, "record of history", ALLOCSET_DEFAULT_SIZES);
	judging.conversations = history_sort_by_conversation();
	judging.customers = history_sort_by_customer();
	read_records(&judging);
	judge_conversations(&judging);
	judge_customers(&judging);
	return (Datum) 0;
}
