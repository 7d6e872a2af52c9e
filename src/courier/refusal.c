/*
 * refusal.c: what APIs say when they do not agree.
 *
 * None of them publishes a code for what has become of a conversation, so
 * their words are looked at.
 */
#define _GNU_SOURCE
#include "refusal.h"

#include <string.h>

#include "headers.h"

typedef struct Refusal
{
	int			lowest;			/* HTTP status */
	int			highest;
	const char *words;
} Refusal;

static const Refusal closed_refusals[] = {
	{400, 400, "closed"},		/* "Cannot send notification to closed conversation" */
	{400, 400, "not in a state that allows"},
	{403, 403, "closed"},
	{403, 403, "not in a state that allows"},
	{409, 409, "closed"},
	{409, 409, "not in a state that allows"},
};

/* Which status it comes with is not published. */
static const Refusal overtaken_refusals[] = {
	{400, 499, "active conversation is already in progress"},
};

static bool
contains(const char *text, const char *words)
{
	return text != NULL && strcasestr(text, words) != NULL;
}

static bool
is_one_of(const Refusal *refusals, size_t count, const HttpResponse *response,
		  const JsonObject *body)
{
	const char *code = json_member_text(body, "code");
	const char *message = json_member_text(body, "message");

	for (size_t i = 0; response->complete && i < count; i++)
		if (response->status >= refusals[i].lowest && response->status <= refusals[i].highest &&
			(contains(message, refusals[i].words) || contains(code, refusals[i].words)))
			return true;
	return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool
refusal_is_closed(const HttpResponse *response, const JsonObject *body)
{
	return is_one_of(closed_refusals, COUNT(closed_refusals), response, body);
}

bool
refusal_is_overtaken(const HttpResponse *response, const JsonObject *body)
{
	return is_one_of(overtaken_refusals, COUNT(overtaken_refusals), response, body);
}

void
refusal_read(const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
	const char *message = json_member_text(body, "message");

	text_clean(reading->error_code, WORD_SIZE, json_member_text(body, "code"), secrets);
	if (message != NULL)
		text_clean(reading->error_message, ERROR_MESSAGE_SIZE, message, secrets);
	else if (response->status >= 400 && body == NULL && response->body_length > 0)
		text_clean_bytes(reading->error_message, ERROR_MESSAGE_SIZE,
						 response->body, response->body_length, secrets);
	else
		text_clean(reading->error_message, ERROR_MESSAGE_SIZE, response->detail, secrets);
	text_hide_addresses(reading->error_message);
}

void
correlation_read(const JsonObject *body, const HttpResponse *response,
				 const Secrets *secrets, Reading *reading)
{
	char		value[CORRELATION_ID_SIZE];

	if (headers_find(response->headers, response->headers_length,
					 "ININ-Correlation-Id", value, sizeof(value)))
		text_clean(reading->correlation_id, CORRELATION_ID_SIZE, value, secrets);
	else
		text_clean(reading->correlation_id, CORRELATION_ID_SIZE,
			  json_member_text(body, "contextId"), secrets);
}
