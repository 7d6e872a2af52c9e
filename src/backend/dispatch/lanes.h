/*
 * lanes.h: how far the schedule of a server was read, lane by lane.
 *
 * A lane is what one role has due at one server with one priority.  There are
 * lanes only for roles that had something due when it was last looked for, or
 * were named by a wake-up since.
 */
#ifndef REENGAGE_LANES_H
#define REENGAGE_LANES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/hsearch.h"

#include "base/clocks.h"
#include "nudge.h"
#include "pace.h"
#include "store/store.h"

typedef struct Lane
{
	TimestampTz due_at;			/* everything up to this place was taken */
	pg_uuid_t	nudge_id;
	TimestampTz next_due;		/* no need to look before; DT_NOEND: until woken */
	int64		turn;			/* its last one; 0: it had none */
} Lane;

/* A role that asks for nudges at this server. */
typedef struct Asker
{
	char		name[NAMEDATALEN];	/* the key, padded with zeros */
	int64		turn;			/* its last one */
	bool		found;			/* when it was last looked for */
	Pace		pace;			/* of its starts; counted while there is a limit */
	Lane		lanes[PRIORITY_COUNT];
} Asker;

typedef struct Lanes
{
	HTAB	   *askers;
	int64		turn;			/* the last one that was given */
	bool		look_for_askers;	/* there may be others by now */
	int			per_minute;		/* starts of one role; 0: any number */
	TimestampTz next_due;		/* of all of them, but those of roles that have started so many: */
	Monotonic	opens_at;		/* the first of these may start another one */
} Lanes;

/* A lane that is to be read. */
typedef struct LaneInHand
{
	Asker	   *asker;
	int			priority;
} LaneInHand;

extern void lanes_init(Lanes *lanes, MemoryContext context);

/* Everything from this time on is to be read again, of one lane, or of all. */
extern void lanes_rewind(Lanes *lanes, const char *asker, int priority, TimestampTz due_at);
extern void lanes_rewind_all(Lanes *lanes, TimestampTz due_at);

/* Likewise, whoever may have something due by now. */
extern void lanes_rewind_everybody(Lanes *lanes, TimestampTz due_at);

/* Inside a tick: who has something due, if that is to be looked for. */
extern void lanes_find_askers(Lanes *lanes, const char *server, Monotonic now);

/* Is one of them to be read? */
extern bool lanes_want_look(const Lanes *lanes, const Clocks *clocks);

/* May the role start another one, by its pace? */
extern bool lanes_have_room(const Lanes *lanes, Asker *asker, Monotonic now);

/* One that was counted then has ended without a call. */
extern void lanes_take_back(Lanes *lanes, const char *asker, Monotonic counted_at);

/*
 * The lanes whose turns are next, of those that may have something due: enough
 * of them to fill so many places.  Returns their number, and the most urgent
 * priority of those that were left out.
 */
extern int	lanes_awake(const Lanes *lanes, const Clocks *clocks, int room, LaneInHand **awake,
						int *left_out);

/* After they were read: when the next one is to be read. */
extern void lanes_were_read(Lanes *lanes, Monotonic now);

extern Lane *lane_in_hand(const LaneInHand *hand);

#endif
