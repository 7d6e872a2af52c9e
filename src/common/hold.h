/*
 * hold.h: what a due nudge waits for, as a code and in words.
 */
#ifndef REENGAGE_HOLD_H
#define REENGAGE_HOLD_H

#include <stdbool.h>

typedef enum Hold
{
	HOLD_NONE,					/* nothing but its time */
#define HOLD(symbol, code, words) HOLD_##symbol,
#include "hold_list.h"
#undef HOLD
	HOLD_COUNT
} Hold;

/* As it stands in due.hold; NULL of HOLD_NONE. */
extern const char *hold_code(Hold hold);

/* For people; NULL where the code alone does not say it. */
extern const char *hold_words(Hold hold);

/* Whether people can let go of it: by a change of a policy, or by resolve(). */
extern bool hold_is_released(Hold hold);

#endif
