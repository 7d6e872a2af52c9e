/*
 * outcomes.h: how flights end in the tables.
 */
#ifndef REENGAGE_OUTCOMES_H
#define REENGAGE_OUTCOMES_H

#include "flights.h"

/*
 * Writes the ends of the flights: lineage rows for those that settle, new
 * times for those that move.  A row that the database refuses is found by
 * halving and ends on its own, as in doubt or refused, with the SQLSTATE as
 * its reason; "end" of its flight is changed accordingly.  "written" says of
 * each flight whether that succeeded, "locked_out" whether it is to be tried
 * again because its nudge is being cancelled.
 */
extern void outcomes_write(Flight **ending, int nending);

/* Attempts that the nudge has used up once it has ended so. */
extern int	flight_attempts(const Flight *flight);

/* What a nudge that moved waits for. */
extern const char *move_reason(const Decision *end, Step step);

#endif
