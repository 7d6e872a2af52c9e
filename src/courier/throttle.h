/*
 * throttle.h: how often a server may be called.
 *
 * Two rules at once.  The generic cell rate algorithm (GCRA) spreads the
 * requests evenly: one each emission interval, with a burst tolerance of two
 * seconds, or of what one nudge may need, after a rest; all that it keeps is the
 * theoretical arrival time of the next one.  And no minute, wherever it begins,
 * has more than the limit.
 *
 * An API that answers "too many" has a limit that we do not know.  It is left
 * alone for as long as it says, or for pauses that grow.  Then one call goes
 * first, each answer allows one more at a time, and for a minute the pace is
 * half of what it was.  What was on the wire when the limit was met says nothing
 * new: calls belong to rounds, and each limit that is met begins another one.
 *
 * Time is passed in, in milliseconds of any one clock.
 */
#ifndef COURIER_THROTTLE_H
#define COURIER_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/* What one nudge may need within seconds: a look, a second one, and its message. */
#define REQUESTS_OF_NUDGE 3

typedef struct Throttle
{
	int			per_minute;		/* 0: no limit */
	double		arrival_ms;		/* GCRA: the theoretical arrival time of the next request */
	int64_t    *sent_at_ms;		/* of the last per_minute requests, a ring */
	int			next;			/* in the ring, which then holds the oldest */
	int64_t		held_until_ms;	/* the API said so */
	int64_t		paused_until_ms;	/* it said so in words only, or we think so */

	int			round;
	int			allowed;		/* calls of this round at a time; 0: no bound */
	int			out;			/* calls of this round on the wire */
	int			limits;			/* met without a recovery between them */
	int64_t		begun_at_ms;	/* the latest call of this round */
	int64_t		slow_until_ms;
} Throttle;

/* What an answer says about how many there may be. */
typedef enum Welcome
{
	WELCOME,
	WELCOME_NOT_NOW,			/* too many, for as long as a header says */
	WELCOME_NOT_SOON,			/* too many, for as long as its words say, or who knows */
	WELCOME_UNKNOWN,			/* there was no answer */
	WELCOME_UNASKED				/* nothing was sent */
} Welcome;

/*
 * Changes the limit; what was sent before still counts.  Begins with what one
 * nudge may need.  Without a limit it has no memory of its own.
 */
extern void throttle_set(Throttle *throttle, int per_minute, int64_t now_ms);

/*
 * The server is another one now, perhaps: what no header asked for is over, and
 * one goes first.
 */
extern void throttle_end_pause(Throttle *throttle);

/* Until when nothing goes out, but for the pace. */
extern int64_t throttle_rests_until_ms(const Throttle *throttle);

/*
 * How long until so many requests may go out at once; 0: now.  As many as a
 * burst never has are taken for what it has, or nearly.
 */
extern int64_t throttle_wait_ms(const Throttle *throttle, int count, int64_t now_ms);

/* False: others have to be answered before another one may go out. */
extern bool throttle_has_room(const Throttle *throttle);

/* How long it has waited for those answers; 0: it does not. */
extern int64_t throttle_waits_since_ms(const Throttle *throttle, int64_t now_ms);

/* One goes out whose answer says nothing. */
extern void throttle_count(Throttle *throttle, int64_t now_ms);

/* One goes out, in the round that is returned. */
extern int	throttle_begin(Throttle *throttle, int64_t now_ms);

/*
 * One of that round has ended.  "pause_ms" is what it asked for if there were
 * too many, -1: it did not say; "most" are on the wire at the most.
 */
extern void throttle_end(Throttle *throttle, int round, Welcome welcome, int64_t pause_ms,
						 int most, int64_t now_ms);

#endif
