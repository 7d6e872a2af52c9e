/*
 * tap.h: unit tests in plain C that speak the Test Anything Protocol.
 *
 * A test program calls these and ends with "return done_testing();".
 */
#ifndef TEST_TAP_H
#define TEST_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int	tests_run;
static int	tests_failed;

static inline bool __attribute__((format(printf, 2, 3)))
ok(bool passed, const char *name,...)
{
	va_list		arguments;

	tests_run++;
	tests_failed += !passed;
	printf("%sok %d - ", passed ? "" : "not ", tests_run);
	va_start(arguments, name);
	vprintf(name, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);				/* a crash must not take the results with it */
	return passed;
}

/* NULL is equal to NULL only.  The name is text, not a format, here and below. */
static inline bool
is_text(const char *got, const char *wanted, const char *name)
{
	bool		same = got == wanted ||
		(got != NULL && wanted != NULL && strcmp(got, wanted) == 0);

	if (!ok(same, "%s", name))
		printf("#   got:    %s\n#   wanted: %s\n",
			   got != NULL ? got : "NULL", wanted != NULL ? wanted : "NULL");
	return same;
}

static inline bool
is_number(int64_t got, int64_t wanted, const char *name)
{
	if (!ok(got == wanted, "%s", name))
		printf("#   got:    %" PRId64 "\n#   wanted: %" PRId64 "\n", got, wanted);
	return got == wanted;
}

/* Prints the plan; the exit code of the program. */
static inline int
done_testing(void)
{
	printf("1..%d\n", tests_run);
	if (tests_failed > 0)
		printf("# %d of %d failed\n", tests_failed, tests_run);
	return tests_failed > 0 ? 1 : 0;
}

#endif
