/*
 * hold.c: the codes and words of hold_list.h.
 */
#include "hold.h"

#include <stddef.h>

static const struct
{
	const char *code;
	const char *words;
}			holds[HOLD_COUNT] = {
#define HOLD(symbol, code, words) [HOLD_##symbol] = {code, words},
#include "hold_list.h"
#undef HOLD
};

const char *
hold_code(Hold hold)
{
	return holds[hold].code;
}

const char *
hold_words(Hold hold)
{
	return holds[hold].words;
}

bool
hold_is_released(Hold hold)
{
	return hold == HOLD_POLICY || hold == HOLD_DOUBT;
}
