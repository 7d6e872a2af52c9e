/*
 * schedule.c: what was asked for becomes due.
 *
 * Once for each statement, which may be of one row or of a million: the rows of
 * "due" are written as one batch, as an INSERT in a trigger would cost more than
 * the row that it is about.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/address_hash.h"
#include "base/rows.h"
#include "base/shmem.h"
#include "config/options.h"
#include "nudge.h"
#include "store/asked_before.h"
#include "store/lookup.h"
#include "store/store.h"
#include "store/store_asking.h"
#include "store/store_tallies.h"
#include "store/table_write.h"

PG_FUNCTION_INFO_V1(reengage_nudges_schedule);

/* Columns of "nudges" that are looked at; the first ones are columns of "due", too. */
typedef enum Asked
{
	ASKED_NUDGE_ID,
	ASKED_SERVER,
	ASKED_REQUESTED_BY,
	ASKED_PRIORITY,
	ASKED_DUE_AT,
	ASKED_SHARED,
	ASKED_REQUESTED_AT = ASKED_SHARED,
	ASKED_ADDRESS,
	ASKED_CHANNEL,
	ASKED_SUPERSEDES,
	ASKED_COUNT
} Asked;

static const char *const asked_names[] = {
	"nudge_id", "server", "requested_by", "priority", "due_at",
	"requested_at", "address", "channel", "supersedes"
};

/* Columns of "lineage" that tell how a nudge out of a dump has ended. */
typedef enum Ended
{
	ENDED_LINEAGE_ID,
	ENDED_OUTCOME,
	ENDED_REASON,
	ENDED_COUNT
} Ended;

static const char *const ended_names[] = {"lineage_id", "outcome", "reason"};

/* Some pages of rows, as many as COPY writes at once, and a few buffers of memory. */
#define ROWS_AT_ONCE 1000

typedef struct KnownServer
{
	const char *name;
	const char *country_code;	/* NULL: not known */
} KnownServer;

/* Who asks, and where. */
typedef struct Asker
{
	const char *server;
	const char *role;
} Asker;

typedef struct Scheduling
{
	int			asked[ASKED_COUNT]; /* places in "nudges" */
	int			due[ASKED_SHARED];	/* places in "due" */
	int			address_hash;
	MemoryContext memory;		/* of the statement */
	MemoryContext of_row;
	TupleTableSlot *rows[ROWS_AT_ONCE]; /* that become due, until they are written */
	int			nrows;
	Lookup		lineage;		/* begun when the first id comes that may have been asked for before */
	bool		has_lineage;
	Snapshot	snapshot;		/* that it is read with */
	int			ended[ENDED_COUNT]; /* places in "lineage" */
	Tallies    *tallies;
	AddressKey	key;
	List	   *servers;		/* of KnownServer *, of rows that name an address */
	bool		limits;			/* a policy says how many a role may have due */
	List	   *askers;			/* of Asker *, where that is so */
	Wakes		wakes;
} Scheduling;

static WrittenTable written;

/* What must be known of all rows before the first one is due. */
typedef struct Overview
{
	bool		any;
	bool		named;			/* one names its address */
	pg_uuid_t  *superseding;
	int			count;			/* of these */
	int			room;
} Overview;

static bool
has_value(const Scheduling *scheduling, TupleTableSlot *row, Asked column)
{
	return !row->tts_isnull[scheduling->asked[column]];
}

static Datum
value_of(const Scheduling *scheduling, TupleTableSlot *row, Asked column)
{
	return row->tts_values[scheduling->asked[column]];
}

/* A row that carries another requested_at than now comes out of a dump. */
static bool
is_asked_now(const Scheduling *scheduling, TupleTableSlot *row)
{
	return DatumGetTimestampTz(value_of(scheduling, row, ASKED_REQUESTED_AT)) == GetCurrentTransactionStartTimestamp();
}

static void
find_places(Scheduling *scheduling, TupleDesc nudges, TupleDesc due)
{
	for (int i = 0; i < ASKED_COUNT; i++)
		scheduling->asked[i] = column_place(nudges, asked_names[i]);
	for (int i = 0; i < ASKED_SHARED; i++)
		scheduling->due[i] = column_place(due, asked_names[i]);
	scheduling->address_hash = column_place(due, "address_hash");
}

static void
note_superseding(Overview *overview, const pg_uuid_t *nudge_id)
{
	if (overview->room == 0)
		overview->superseding = palloc(sizeof(pg_uuid_t) * (overview->room = 8));
	else if (overview->count == overview->room)
		overview->superseding = repalloc_huge(overview->superseding, sizeof(pg_uuid_t) * (overview->room *= 2));
	overview->superseding[overview->count++] = *nudge_id;
}

static Overview
look_at_all(const Scheduling *scheduling, Tuplestorestate *rows, TupleTableSlot *row)
{
	Overview	overview = {.any = false};

	while (tuplestore_gettupleslot(rows, true, false, row))
	{
		slot_getallattrs(row);
		overview.any = true;
		overview.named = overview.named || has_value(scheduling, row, ASKED_ADDRESS);
		if (DatumGetBool(value_of(scheduling, row, ASKED_SUPERSEDES)) && is_asked_now(scheduling, row))
			note_superseding(&overview, DatumGetUUIDP(value_of(scheduling, row, ASKED_NUDGE_ID)));
	}
	tuplestore_rescan(rows);
	return overview;
}

/* What there is a statement for, as there mostly is no need. */
static void
ask_first(Scheduling *scheduling, const Overview *overview)
{
	if (overview->count == 0 && !overview->named)
		return;
	SPI_connect();
	MemoryContextSwitchTo(scheduling->memory);
	if (overview->count > 0)
		store_cancel_older(overview->superseding, overview->count);
	if (overview->named)
		scheduling->key = store_address_key();
	if (overview->named && scheduling->key.length == 0)
	{
		store_make_address_key();
		scheduling->key = store_address_key();
	}
	SPI_finish();
}

static void
ask_last(const Scheduling *scheduling)
{
	ListCell   *cell;

	if (scheduling->askers == NIL)
		return;
	SPI_connect();
	foreach(cell, scheduling->askers)
	{
		const Asker *asker = lfirst(cell);

		store_check_max_due(asker->server, asker->role);
	}
	SPI_finish();
}

/* --- a row ------------------------------------------------------------------------------ */

static const char *
country_code_at(Scheduling *scheduling, const char *name)
{
	MemoryContext before;
	ForeignServer *server;
	KnownServer *known;
	ListCell   *cell;

	foreach(cell, scheduling->servers)
	{
		known = lfirst(cell);
		if (strcmp(known->name, name) == 0)
			return known->country_code;
	}
	before = MemoryContextSwitchTo(scheduling->memory);
	server = reengage_server(name);
	known = palloc(sizeof(KnownServer));
	known->name = pstrdup(name);
	known->country_code = server != NULL ? country_code_of(server->options) : NULL;
	scheduling->servers = lappend(scheduling->servers, known);
	MemoryContextSwitchTo(before);
	return known->country_code;
}

/* Of the customer whom it names itself; NULL: it names none. */
static const char *
own_customer(Scheduling *scheduling, TupleTableSlot *row, const char *server)
{
	const char *channel = NULL;

	if (!has_value(scheduling, row, ASKED_ADDRESS))
		return NULL;
	if (has_value(scheduling, row, ASKED_CHANNEL))
		channel = TextDatumGetCString(value_of(scheduling, row, ASKED_CHANNEL));
	return address_hash(&scheduling->key, meant_address(
		to_utf8(TextDatumGetCString(value_of(scheduling, row, ASKED_ADDRESS))), channel,
		country_code_at(scheduling, server)));
}

static void
note_asker(Scheduling *scheduling, const Asker *asker)
{
	MemoryContext before;
	Asker	   *copy;
	ListCell   *cell;

	foreach(cell, scheduling->askers)
	{
		const Asker *known = lfirst(cell);

		if (strcmp(known->server, asker->server) == 0 && strcmp(known->role, asker->role) == 0)
			return;
	}
	before = MemoryContextSwitchTo(scheduling->memory);
	copy = palloc(sizeof(Asker));
	*copy = (Asker) {pstrdup(asker->server), pstrdup(asker->role)};
	scheduling->askers = lappend(scheduling->askers, copy);
	MemoryContextSwitchTo(before);
}

static void
note_wake(Scheduling *scheduling, const Asker *asker, int priority, TimestampTz due_at)
{
	Wake		wake = {.due_at = due_at};

	/* no such lane is read, whoever wrote the row */
	if (priority < 0 || priority >= PRIORITY_COUNT)
		return;
	wake.priorities = 1 << priority;
	strlcpy(wake.server, asker->server, NAMEDATALEN);
	strlcpy(wake.asker, asker->role, NAMEDATALEN);
	wakes_add(&scheduling->wakes, &wake);
}

/* The name of a role, cut as all names are. */
static char *
role_in(Datum value)
{
	char	   *role = TextDatumGetCString(value);

	role[pg_mbcliplen(role, strlen(role), NAMEDATALEN - 1)] = '\0';
	return role;
}

static void
begin_lineage(Scheduling *scheduling)
{
	MemoryContext before = MemoryContextSwitchTo(scheduling->memory);

	scheduling->snapshot = RegisterSnapshot(GetLatestSnapshot());
	scheduling->lineage = lookup_begin("lineage", "lineage_nudge", scheduling->snapshot);
	for (int i = 0; i < ENDED_COUNT; i++)
		scheduling->ended[i] = column_place(RelationGetDescr(scheduling->lineage.table), ended_names[i]);
	scheduling->has_lineage = true;
	MemoryContextSwitchTo(before);
}

/* By the newest of its rows in lineage, of which a doubt that was settled has two. */
static bool
count_ended(Scheduling *scheduling, TupleTableSlot *row)
{
	const pg_uuid_t *nudge_id = DatumGetUUIDP(value_of(scheduling, row, ASKED_NUDGE_ID));
	pg_uuid_t	newest;
	const char *outcome = NULL;
	const char *reason = NULL;

	if (!scheduling->has_lineage)
		begin_lineage(scheduling);
	for (TupleTableSlot *ended = lookup_find(&scheduling->lineage, nudge_id); ended != NULL;
		 ended = lookup_next(&scheduling->lineage))
	{
		const Datum *values = ended->tts_values;
		const int  *places = scheduling->ended;
		const pg_uuid_t *lineage_id;

		slot_getallattrs(ended);
		lineage_id = DatumGetUUIDP(values[places[ENDED_LINEAGE_ID]]);
		if (outcome != NULL && memcmp(lineage_id, &newest, sizeof(newest)) < 0)
			continue;
		newest = *lineage_id;
		outcome = TextDatumGetCString(values[places[ENDED_OUTCOME]]);
		reason = ended->tts_isnull[places[ENDED_REASON]] ? NULL : TextDatumGetCString(values[places[ENDED_REASON]]);
	}
	if (outcome != NULL)
		tallies_add(scheduling->tallies, row, outcome, reason, 1);
	return outcome != NULL;
}

/*
 * Rows out of a dump are due if the dump says so in "due": what has no outcome
 * there, as somebody has deleted it, is not.  Nor is an id whose row alone was
 * deleted due again.
 */
static bool
is_to_be_due(Scheduling *scheduling, TupleTableSlot *row)
{
	const pg_uuid_t *nudge_id = DatumGetUUIDP(value_of(scheduling, row, ASKED_NUDGE_ID));

	if (!is_asked_now(scheduling, row))
	{
		if (!count_ended(scheduling, row))
			tallies_add(scheduling->tallies, row, "due", NULL, 1);
		return false;
	}
	if (nudge_ids_are_new())
		return true;
	/* it was let go since the row was looked at, and its place in the index was free */
	if (nudge_was_pruned(nudge_id))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("nudge %s was asked for before, and was pruned just now", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(nudge_id)))),
				 errhint("Ask again: it will have no effect.")));
	return !count_ended(scheduling, row);
}

static void
set_due(TupleTableSlot *due, int place, Datum value)
{
	due->tts_values[place] = value;
	due->tts_isnull[place] = false;
}

/* A row of "due" that outlives that of "nudges". */
static TupleTableSlot *
new_due(const Scheduling *scheduling)
{
	MemoryContext before = MemoryContextSwitchTo(scheduling->memory);
	TupleTableSlot *due = table_write_row(&written);

	MemoryContextSwitchTo(before);
	return due;
}

static void
write_due(Scheduling *scheduling)
{
	table_write(&written, scheduling->rows, scheduling->nrows);
	scheduling->nrows = 0;
}

static void
keep_due(Scheduling *scheduling, TupleTableSlot *due)
{
	ExecStoreVirtualTuple(due);
	ExecMaterializeSlot(due);
	scheduling->rows[scheduling->nrows++] = due;
	if (scheduling->nrows == ROWS_AT_ONCE)
		write_due(scheduling);
}

static void
add_due(Scheduling *scheduling, TupleTableSlot *row)
{
	TupleTableSlot *due = new_due(scheduling);
	Asker		asker = {TextDatumGetCString(value_of(scheduling, row, ASKED_SERVER)),
						 role_in(value_of(scheduling, row, ASKED_REQUESTED_BY))};
	TimestampTz due_at = Max(DatumGetTimestampTz(value_of(scheduling, row, ASKED_DUE_AT)), GetCurrentTransactionStartTimestamp());
	const char *customer = own_customer(scheduling, row, asker.server);

	for (int i = 0; i < ASKED_SHARED; i++)
		set_due(due, scheduling->due[i], value_of(scheduling, row, i));
	set_due(due, scheduling->due[ASKED_REQUESTED_BY], CStringGetTextDatum(asker.role));
	set_due(due, scheduling->due[ASKED_DUE_AT], TimestampTzGetDatum(due_at));
	if (customer != NULL)
		set_due(due, scheduling->address_hash, CStringGetTextDatum(customer));
	keep_due(scheduling, due);
	tallies_add(scheduling->tallies, row, "due", NULL, 1);
	note_wake(scheduling, &asker, DatumGetInt16(value_of(scheduling, row, ASKED_PRIORITY)), due_at);
	if (scheduling->limits)
		note_asker(scheduling, &asker);
}

static void
add_all(Scheduling *scheduling, Tuplestorestate *rows, TupleTableSlot *row)
{
	while (tuplestore_gettupleslot(rows, true, false, row))
	{
		MemoryContext before = MemoryContextSwitchTo(scheduling->of_row);

		slot_getallattrs(row);
		if (is_to_be_due(scheduling, row))
			add_due(scheduling, row);
		MemoryContextSwitchTo(before);
		MemoryContextReset(scheduling->of_row);
	}
	if (scheduling->has_lineage)
	{
		lookup_end(&scheduling->lineage);
		UnregisterSnapshot(scheduling->snapshot);
	}
}

/* --- a statement -------------------------------------------------------------------------- */

static void
schedule_rows(Relation nudges, Tuplestorestate *rows)
{
	Relation	due = open_table("due", RowExclusiveLock, ACL_INSERT);
	TupleTableSlot *row = MakeSingleTupleTableSlot(RelationGetDescr(nudges), &TTSOpsMinimalTuple);
	Scheduling	scheduling = {.memory = CurrentMemoryContext, .limits = store_has_max_due()};
	Overview	overview;

	wakes_init(&scheduling.wakes);
	find_places(&scheduling, RelationGetDescr(nudges), RelationGetDescr(due));
	overview = look_at_all(&scheduling, rows, row);
	ask_first(&scheduling, &overview);
	if (overview.any)
	{
		scheduling.of_row = AllocSetContextCreate(CurrentMemoryContext, "row that becomes due", ALLOCSET_DEFAULT_SIZES);
		scheduling.tallies = tallies_begin(nudges);
		table_write_begin(&written, due);
		add_all(&scheduling, rows, row);
		write_due(&scheduling);
		table_write_end(&written);
		tallies_end(scheduling.tallies);
		shmem_wake_lanes_at_commit(&scheduling.wakes);
		ask_last(&scheduling);
	}
	ExecDropSingleTupleTableSlot(row);
	table_close(due, NoLock);
}

Datum
reengage_nudges_schedule(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		trigger->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("reengage_internal.nudges_schedule must be a trigger AFTER INSERT FOR EACH STATEMENT with a new table")));
	/* others may read it, too, each with a pointer of its own */
	tuplestore_select_read_pointer(trigger->tg_newtable, tuplestore_alloc_read_pointer(trigger->tg_newtable, EXEC_FLAG_REWIND));
	schedule_rows(trigger->tg_relation, trigger->tg_newtable);
	return PointerGetDatum(NULL);
}
