/*
 * import_sort.h: records of history, in the order in which they speak for a
 * conversation or for a customer.
 *
 * What forbids goes before them as a row of its own, a note, so that it is known
 * of all before the first of them is looked at, and nothing is kept but a row.
 */
#ifndef REENGAGE_IMPORT_SORT_H
#define REENGAGE_IMPORT_SORT_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/tuplesort.h"

#include "functions/import_verdict.h"

/* The columns of its rows. */
enum
{
	RECORD_NO,
	STORED_AT,
	KIND,
	DEFECT,
	CONVERSATION_ID,
	CHANNEL,
	ADDRESS,
	CUSTOMER,
	OCCURRED_AT,
	EXTRACTED_AT,
	LAST_SEEN_AT,
	TIME_ZONE,
	SAID_ZONE,
	DETAIL,
	UNKNOWN_STATUS,
	UNKNOWN_ZONE,
	WITHDRAWN,
	OUT_AT,						/* until when somebody is known to have opted out */
	SORTED_COLUMNS
};

typedef struct HistorySort
{
	Tuplesortstate *state;
	TupleDesc	descriptor;
	TupleTableSlot *put;		/* a row that goes into it */
	TupleTableSlot *row;		/* the one that came out of it last */
	int			named_by;		/* the column that is the same in a group of records */
	Datum		name;			/* of the group; 0: none has begun */
	MemoryContext of_group;
	bool		has_record;		/* one of the group came out */
	bool		is_first;		/* the last row is the first record of its group */
	MaybeTime	out_at;			/* until when the group is known to have opted out */
} HistorySort;

/* The newest record of a conversation comes first; of records of one time, what forbids. */
extern HistorySort *history_sort_by_conversation(void);

/* The newest conversation of a customer comes first, likewise. */
extern HistorySort *history_sort_by_customer(void);

extern void history_sort_put(HistorySort *sort, const Datum *values, const bool *nulls);

/* That a conversation or a customer is opted out, as of the time of a record. */
extern void history_sort_put_note(HistorySort *sort, const char *name, MaybeTime extracted_at);

/* All is put. */
extern void history_sort_perform(HistorySort *sort);

/* The next record, with its values at hand, and what is known of its group; NULL: there is none. */
extern TupleTableSlot *history_sort_next(HistorySort *sort);

extern void history_sort_end(HistorySort *sort);

#endif
