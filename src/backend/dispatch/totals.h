/*
 * totals.h: what an engine has done since it was created.
 */
#ifndef REENGAGE_TOTALS_H
#define REENGAGE_TOTALS_H

#include "postgres.h"

#include "nudge.h"

typedef struct Totals
{
	int64		started;		/* nudges put under way */
	int64		ended[OUTCOME_COUNT];
	int64		moved;			/* due again, at another time */
} Totals;

#endif
