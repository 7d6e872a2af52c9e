/*
 * import_verdict.h: what a record of history says, and what it has against it,
 * as far as it alone tells.
 */
#ifndef REENGAGE_IMPORT_VERDICT_H
#define REENGAGE_IMPORT_VERDICT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/hsearch.h"

/* What is the same for all records of an import. */
typedef struct Rules
{
	TimestampTz future_after;	/* a time of a record that is later is wrong */
	TimestampTz too_old_before;
	int			date_order;		/* as record_time() takes it */
	const char *country_code;	/* NULL: not known */
	const char *heading;		/* the column of the conversation, in small letters */
	const char **words;			/* that a status may be, in the order of strcmp() */
	int			nwords;
	HTAB	   *zones;			/* what was found of time zones so far; NULL: nothing */
	MemoryContext memory;		/* of the import */
} Rules;

/* A time that there may not be. */
typedef struct MaybeTime
{
	TimestampTz time;
	bool		is_there;
} MaybeTime;

extern MaybeTime later_of(MaybeTime one, MaybeTime other);

/* Texts are in the database's encoding; NULL is null. */
typedef struct Verdict
{
	int64		record_no;
	ItemPointerData stored_at;	/* in the staging table */
	const char *conversation_id;
	const char *channel;
	const char *address;
	const char *customer;
	const char *time_zone;		/* one that there is */
	const char *said_zone;		/* what was said instead, if no address is in it */
	Datum		detail;			/* of its nudge, jsonb; 0: null */
	MaybeTime	occurred_at;
	MaybeTime	extracted_at;
	MaybeTime	last_seen_at;
	bool		unknown_status;
	bool		unknown_zone;
	bool		withdrawn;
	bool		opted_out;
	const char *id_defect;		/* NULL: it has the id of a conversation */
	const char *defect;			/* of the rest; NULL: none */
} Verdict;

/* The columns that it wants of a record, in their order, with commas. */
extern const char *const verdict_columns;

/* An error unless these columns have their types: any operator may have made a view of that name. */
extern void verdict_check_columns(TupleDesc descriptor);

/* Of a row that has these columns; it and what it points to live in the current memory context. */
extern Verdict verdict_of(Rules *rules, TupleTableSlot *row);

#endif
