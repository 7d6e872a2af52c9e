/*
 * text.h: making text from an API harmless.
 *
 * What an API says ends up in a table, in every database encoding, and in
 * front of people.  It leaves the courier as printable ASCII of a known
 * length that repeats nothing of what we told the API, and no address, or not
 * at all.
 */
#ifndef COURIER_TEXT_H
#define COURIER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "echo.h"

#define SECRET_COUNT TOLD_SECRETS_MAX

/* What must not be repeated: NULL and empty entries are ignored. */
typedef struct Secrets
{
	const char *words[SECRET_COUNT];
	Told		told;			/* without them */
} Secrets;

/*
 * Copies at most "size" - 1 characters and a NUL: each run of what must not be
 * repeated, or may be a customer's address, becomes "***" (see echo.h), white
 * space becomes a space, any other unprintable character becomes "?".
 */
extern void text_clean_bytes(char *to, size_t size, const char *from, size_t length,
							 const Secrets *secrets);

/* The same for a text, of which NULL is an empty one. */
extern void text_clean(char *to, size_t size, const char *from, const Secrets *secrets);

/*
 * The same for an id or a code: its digits are no telephone number, and four of
 * them are those of what was told by chance.
 */
extern void text_clean_id(char *to, size_t size, const char *from, const Secrets *secrets);

/*
 * Copies a word, lower-cased.  False, and an empty copy, unless it is 1 to
 * "size" - 1 characters out of [A-Za-z0-9_-].
 */
extern bool text_copy_word(char *to, size_t size, const char *from);

/*
 * Copies a line.  False, and an empty copy, for NULL, an empty text, one that
 * does not fit, or one with control characters.
 */
extern bool text_copy_line(char *to, size_t size, const char *from);

#endif
