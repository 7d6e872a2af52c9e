/*
 * verdict.h: whether a POST that is wanted may be made.
 *
 * Times: microseconds of the wall clock.
 */
#ifndef REENGAGE_VERDICT_H
#define REENGAGE_VERDICT_H

#include <stdint.h>

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
	int64_t		until;			/* HOLD, and BUSY if it cannot wait in hand */
	Outcome		outcome;		/* END */
	const char *reason;			/* END: one word */
	Hold		hold;			/* HOLD, BUSY: what it waits for */
	const char *hold_reason;	/* in words; NULL: what "hold" says */
	int64_t		shown_until;	/* the time that these words end with; 0: with none */
	const char *shown_in;		/* the zone whose clock shows it; NULL: any */
	const char *conversation_id;	/* RECHECK */
	int64_t		made_at;		/* when we made that conversation; 0: we did not */
} Verdict;

extern Verdict verdict_allow(void);
extern Verdict verdict_end(Outcome outcome, const char *reason);

/* HOLD or BUSY. */
extern Verdict verdict_wait(VerdictKind kind, int64_t until, Hold hold);

/* Of ALLOW, HOLD and END the one that counts: an end before a hold, a long hold before a short one. */
extern Verdict verdict_stricter(Verdict one, Verdict other);

#endif
