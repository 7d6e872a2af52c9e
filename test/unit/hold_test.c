/*
 * hold_test.c: what a due nudge may wait for, as a code and in words.
 */
#include "hold.h"

#include <string.h>

#include "tap.h"

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Only who holds a nudge for one of these can say why. */
static const Hold without_words[] = {HOLD_POLICY, HOLD_RATE_LIMIT, HOLD_RETRY};

static bool
has_own_words(Hold hold)
{
	for (int i = 0; i < COUNT(without_words); i++)
		if (without_words[i] == hold)
			return false;
	return true;
}

static int
count_of_code(const char *code)
{
	int			count = 0;

	for (int hold = HOLD_NONE + 1; hold < HOLD_COUNT; hold++)
		count += strcmp(hold_code((Hold) hold), code) == 0;
	return count;
}

int
main(void)
{
	ok(hold_code(HOLD_NONE) == NULL && hold_words(HOLD_NONE) == NULL, "nothing is held for nothing");
	for (int hold = HOLD_NONE + 1; hold < HOLD_COUNT; hold++)
	{
		const char *code = hold_code((Hold) hold);

		ok(code != NULL && strspn(code, "abcdefghijklmnopqrstuvwxyz_") == strlen(code) &&
		   code[0] != '\0' && count_of_code(code) == 1, "%s is a code, and no other's", code);
		ok((hold_words((Hold) hold) != NULL) == has_own_words((Hold) hold), "%s has words where it needs no more", code);
		ok(hold_is_released((Hold) hold) == (hold == HOLD_POLICY || hold == HOLD_DOUBT),
		   "%s is let go by people, or not", code);
	}
	return done_testing();
}
