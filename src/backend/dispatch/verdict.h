/*
 * verdict.h: whether a POST that is wanted may be made.
 */
#ifndef REENGAGE_VERDICT_H
#define REENGAGE_VERDICT_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "hold.h"
#include "nudge.h"

typedef enum VerdictKind
{
	VERDICT_DEFER,				/* not now: back into the schedule as it was */
	VERDICT_ALLOW,
	VERDICT_HOLD,				/* until a time, for a reason */
	VERDICT_BUSY,				/* another nudge speaks to the customer */
	VERDICT_RECHECK,			/* first look at another conversation of the customer */
	VERDICT_END					/* the nudge ends without this call */
} VerdictKind;

typedef struct Verdict
{
	VerdictKind kind;
	TimestampTz until;			/* HOLD, and BUSY if it cannot wait in hand */
	Outcome		outcome;		/* END */
	const char *reason;			/* END: one word */
	Hold		hold;			/* HOLD, BUSY: what it waits for */
	const char *hold_reason;	/* in words; NULL: what "hold" says */
	const char *conversation_id;	/* RECHECK */
	TimestampTz made_at;		/* when we made that conversation; 0: we did not */
} Verdict;

#endif
