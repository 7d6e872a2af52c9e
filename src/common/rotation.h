/*
 * rotation.h: whose turn it is.
 *
 * A lane is what one role has due with one priority.  The most urgent priority
 * goes first; within it, the lane whose last turn is longest ago.  So each lane
 * that has something to do gets one turn in a round, whoever else comes and
 * goes, and nothing needs to be counted or saved up.
 *
 * A turn is one attempt of one nudge.  What an attempt costs is known only when
 * it is over, but the number of its calls is bounded, so that nobody gets more
 * than a small multiple of what others get.
 *
 * Every eighth turn goes to the role whose last turn is longest ago, whatever
 * its priority: one role's urgent nudges do not stop another's.
 */
#ifndef ROTATION_H
#define ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#define ROTATION_EQUAL_TURN 8

typedef struct Contender
{
	bool		contends;		/* false: it has nothing to do */
	int			priority;		/* 0 is the most urgent */
	int64_t		lane_turn;		/* number of the lane's last turn; 0: it had none */
	int64_t		role_turn;		/* likewise of its role */
} Contender;

/* Which one has the turn with this number, from 1; -1: none contends. */
extern int	rotation_choose(const Contender *contenders, int count, int64_t turn);

/* Does every role have the same right to this turn, whatever its priority? */
extern bool rotation_is_equal(int64_t turn);

#endif
