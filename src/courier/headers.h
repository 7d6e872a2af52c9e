/*
 * headers.h: what is wanted of the headers of a reply.
 */
#ifndef COURIER_HEADERS_H
#define COURIER_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Reads an HTTP date; -1: it is none.  libcurl has one, tests bring another. */
typedef time_t (*DateReader) (const char *text);

/*
 * Copies the value of the first header of that name, without the space
 * around it.  False, and an empty copy, if there is none or it does not fit.
 */
extern bool headers_find(const char *headers, size_t length, const char *name,
						 char *value, size_t size);

/*
 * The delay that a Retry-After header asks for, in milliseconds, at most a
 * day; -1: it does not ask, or cannot be understood.
 */
extern int64_t headers_retry_after_ms(const char *headers, size_t length,
									  time_t now, DateReader read_date);

/*
 * How long an answer of this status asks to be left alone, in milliseconds, at
 * least 1 second and at most a day; -1: it does not say.  Of any status that is
 * Retry-After, which of 429 and 503 may be said in milliseconds, too; 429 also
 * counts the headers that tell when a limit is reset.  Those of 503 are about
 * another limit, and no promise that the request had no effect.
 */
extern int64_t headers_rest_ms(const char *headers, size_t length, int status,
							   time_t now, DateReader read_date);

/* The same out of the words "Retry the request in [42] seconds" of a body. */
extern int64_t words_rest_ms(const char *body, size_t length);

#endif
