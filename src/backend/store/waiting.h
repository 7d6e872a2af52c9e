/*
 * waiting.h: what waits in the schedule, from lane to lane along due_order, without
 * a statement: a look into the index for each lane, however much is due in it.
 */
#ifndef REENGAGE_WAITING_H
#define REENGAGE_WAITING_H

#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* What a server, a priority and a role have in common. */
typedef struct WaitingLane
{
	text	   *server;
	int16		priority;
	text	   *requested_by;
	TimestampTz oldest;			/* of its nudges */
} WaitingLane;

/* The columns of due_order, but for its last. */
typedef enum WaitingColumn
{
	WAITING_SERVER,
	WAITING_PRIORITY,
	WAITING_REQUESTED_BY,
	WAITING_DUE_AT,
	WAITING_COLUMNS
} WaitingColumn;

typedef struct Waiting
{
	Relation	table;
	Relation	index;
	TupleTableSlot *slot;
	int			places[WAITING_COLUMNS];	/* in "due" */
	IndexScanDesc lanes;
	IndexScanDesc rows;
	MemoryContext lane_memory;	/* of the lane that was found last */
	WaitingLane lane;
} Waiting;

/* To be read with the active snapshot, whoever asks: what he is told of it is for the caller to say. */
extern void waiting_begin(Waiting *waiting);

/* The first lane of a server, or of all of them (NULL); NULL: there is none.  It is good until the next is asked for. */
extern const WaitingLane *waiting_first(Waiting *waiting, text *server);

/* The lane after the one that was found last, whatever its server. */
extern const WaitingLane *waiting_next(Waiting *waiting);

/* The nudges of a lane, from one time to another, both included. */
extern void waiting_rows(Waiting *waiting, const WaitingLane *lane, TimestampTz from, TimestampTz to);

/* The next of these, a row of "due"; NULL: there are no more. */
extern TupleTableSlot *waiting_row(Waiting *waiting);

/* Their number, counted up to at_most. */
extern int64 waiting_count(Waiting *waiting, const WaitingLane *lane, TimestampTz from, TimestampTz to, int64 at_most);

/* A lane that is good for longer, in the current memory context. */
extern WaitingLane waiting_copy(const WaitingLane *lane);

extern void waiting_end(Waiting *waiting);

#endif
