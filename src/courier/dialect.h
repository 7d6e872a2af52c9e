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
	/* Sets the request's URL and body.  The call's ids are valid. */
	void		(*compose) (const CallMessage *call, const char *api_url,
							HttpRequest *request);

	/* To write the thread's root on a new conversation; NULL: it cannot be done. */
	void		(*compose_tag) (const char *conversation_id, const char *root,
								const char *api_url, HttpRequest *request);

	/* NULL, or the reason for which this API never takes that POST; may be NULL. */
	const char *(*find_fault) (const CallMessage *call);

	/* Fills the reading, whatever the response holds; for "opt_out_words" see opt_out.h. */
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
