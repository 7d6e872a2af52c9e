/*
 * rotation.c: whose turn it is.
 */
#include "rotation.h"

bool
rotation_is_equal(int64_t turn)
{
	return turn % ROTATION_EQUAL_TURN == 0;
}

/* Of one role, the more urgent lane still goes first. */
static bool
goes_before(const Contender *one, const Contender *other, bool equal)
{
	if (equal && one->role_turn != other->role_turn)
		return one->role_turn < other->role_turn;
	if (one->priority != other->priority)
		return one->priority < other->priority;
	return one->lane_turn < other->lane_turn;
}

int
rotation_choose(const Contender *contenders, int count, int64_t turn)
{
	bool		equal = rotation_is_equal(turn);
	int			chosen = -1;

	for (int i = 0; i < count; i++)
		if (contenders[i].contends &&
			(chosen < 0 || goes_before(&contenders[i], &contenders[chosen], equal)))
			chosen = i;
	return chosen;
}
