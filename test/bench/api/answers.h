/*
 * answers.h: what the API says; how it travels is loop.c's.
 */
#ifndef BENCH_API_ANSWERS_H
#define BENCH_API_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX 2048

/* What happened since the last reset; times are microseconds since 1970. */
typedef struct Counts
{
	long		checks;
	long		notified;
	long		created;
	long		refused;
	long		at_once;
	long		most_at_once;
	int64_t		first_us;
	int64_t		last_us;
} Counts;

extern Counts counts;
extern int64_t latency_us;

/* Number of connections that are open. */
extern long connections;

/*
 * Writes the answer to a whole request, whose line it takes apart, and returns
 * its length; *takes_time is whether it is one of the API, and not about it.
 */
extern size_t answer_request(char *request, const char *body, char answer[ANSWER_MAX], bool *takes_time);

#endif
