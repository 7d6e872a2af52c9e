/*
 * dialect.h: how an API spells check, notify and create.
 *
 * A dialect is the only code that knows the shapes of its API's URLs and
 * JSON.  It does no I/O: calls in, requests out; responses in, readings out.
 */
#ifndef COURIER_DIALECT_H
#define COURIER_DIALECT_H

#include "exchange.h"
#include "message.h"
#include "reading.h"
#include "text.h"

typedef struct Dialect
{
	/*
	 * Sets the request's URL and body.  The call's ids are valid; addresses and
	 * channel may be NULL.  With render_only they may be "{customer address}",
	 * "{business address}", "{channel}", which are shown as they are.
	 */
	void		(*compose) (const CallMessage *call, const char *api_url,
							HttpRequest *request);

	/* To write the thread's root on a new conversation; NULL: it cannot be done. */
	void		(*compose_tag) (const char *conversation_id, const char *root,
								const char *api_url, HttpRequest *request);

	/*
	 * NULL, or the reason for which this API never takes that POST; may be NULL.
	 * With render_only a "{customer address}" and its like are no fault.
	 */
	const char *(*find_fault) (const CallMessage *call);

	/*
	 * Fills in all of the reading, whatever the response holds: reading_judge()
	 * begins it, refusal_read() ends it, and between them the dialect looks
	 * whether a success says what it must, and a refusal "closed" or the like.
	 *
	 * - A check that is done has a status, and may be live or busy; without one it
	 *   is REPLY_NOT_APPLIED, "unreadable".
	 * - A create that is done has the new conversation's id; without one it is
	 *   REPLY_AMBIGUOUS, "unreadable".
	 * - Only a notify is REPLY_CLOSED, only a create REPLY_OVERTAKEN.
	 * - A POST that may have had its effect is never REPLY_NOT_APPLIED.
	 *
	 * test/lib/reading_promises.h has all of it, and fuzzer and unit test hold a
	 * dialect to it.  For "opt_out_words" see opt_out.h.
	 */
	void		(*read) (Step step, const HttpResponse *response, const Secrets *secrets,
						 const char *opt_out_words, Reading *reading);
} Dialect;

/* NULL: there is no dialect of that name. */
extern const Dialect *dialect_find(const char *name);

/* dialect_NAME, of dialect_NAME.c */
#define DIALECT(name, ...) extern const Dialect dialect_##name;
#include "dialect_list.h"
#undef DIALECT

#endif
