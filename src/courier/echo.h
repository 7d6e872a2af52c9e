/*
 * echo.h: what in the words of an API is not the API's own.
 *
 * APIs quote what they refuse, and proxies print it into pages: the message,
 * the customer's number, a token.  What we told them is found again in every
 * spelling in which it comes back: in other letters, escaped as JSON, HTML or
 * a URL has it, once more by the next gateway, with other blanks and
 * punctuation, as base64, and cut anywhere.
 */
#ifndef COURIER_ECHO_H
#define COURIER_ECHO_H

#include <stdbool.h>
#include <stddef.h>

/* Of what an API says so much is looked at; more is not to be shown. */
#define SAID_MAX 1200

#define TOLD_MAX 12
#define TOLD_SECRETS_MAX 3

/* What an API was told by a call; NULL and empty entries are ignored. */
typedef struct Told
{
	const char *texts[TOLD_MAX];
	const char *ids[TOLD_MAX];	/* of which only runs of six are looked for */
	const char *secrets[TOLD_SECRETS_MAX];	/* likewise, also in base64 */
	bool		only_runs;		/* of the texts, too */
} Told;

/*
 * Marks the bytes of "said", at most SAID_MAX of them, that were told: every run
 * of six letters or digits, of four digits, and every word of three to five
 * letters or digits.  Shorter ones occur everywhere.  What is between them is
 * no part of a run: blanks, punctuation, and characters beyond ASCII.
 *
 * A run within three words of which errors are made, such as "conversation is
 * closed", is the API's own.
 */
extern void echo_mark(const char *said, size_t length, const Told *told, bool *marks);

#endif
