/*
 * text.h: making text from an API harmless.
 *
 * What an API says ends up in a table, in every database encoding, and in
 * front of people.  It leaves the courier as printable ASCII of a known
 * length that repeats none of our secrets, or not at all.
 */
#ifndef COURIER_TEXT_H
#define COURIER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_COUNT 3

/* What must not be repeated: NULL and empty entries are ignored. */
typedef struct Secrets
{
	const char *words[SECRET_COUNT];
} Secrets;

/*
 * Copies at most "size" - 1 characters and a NUL: secrets become "***", white
 * space becomes a space, any other unprintable character becomes "?".
 */
extern void text_clean_bytes(char *to, size_t size, const char *from, size_t length,
							 const Secrets *secrets);

/* The same for a text, of which NULL is an empty one. */
extern void text_clean(char *to, size_t size, const char *from, const Secrets *secrets);

/*
 * Makes unreadable, in place, what may be a customer's address: the digits of
 * a number of 7 or more, written together or as an international one, and the
 * letters of an e-mail address.
 */
extern void text_hide_addresses(char *text);

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

/* The base64 form; the caller frees it, with forget_text() if it is secret. */
extern char *text_base64(const char *text);

#endif
