/*
 * refusal.c: what APIs say when they do not agree.
 *
 * None of them publishes a code for what has become of a conversation, so
 * their words are looked at.
 */
#define _GNU_SOURCE
#include "refusal.h"

#include <ctype.h>
#include <stdio.h>
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

/* Its own, or the answer of whoever stands before the API, or the network's words. */
static void
read_message(const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
	const char *message = json_member_text(body, "message");

	if (message != NULL)
		text_clean(reading->error_message, ERROR_MESSAGE_SIZE, message, secrets);
	else if (response->status >= 400 && body == NULL && response->body_length > 0)
		text_clean_bytes(reading->error_message, ERROR_MESSAGE_SIZE,
						 response->body, response->body_length, secrets);
	else
		text_clean(reading->error_message, ERROR_MESSAGE_SIZE, response->detail, secrets);
}

static const char *
end_of_word(const char *text, const char *end)
{
	while (text < end && (isalnum((unsigned char) *text) || (*text != '\0' && strchr(":_-*", *text) != NULL)))
		text++;
	return text;
}

/* Has it the form "conversation:message:create"? */
static bool
is_permission(const char *word, const char *end)
{
	int			colons = 0;

	if (end - word < 5 || end - word >= WORD_SIZE || !isalpha((unsigned char) word[0]) || end[-1] == ':')
		return false;
	for (const char *c = word; c < end; c++)
		colons += *c == ':';
	return colons == 2;
}

static void
add_permission(const char *name, size_t length, const Secrets *secrets, char *message)
{
	size_t		used = strlen(message);
	char		clean[WORD_SIZE];

	text_clean_bytes(clean, sizeof(clean), name, length, secrets);
	if (strstr(message, clean) == NULL)
		snprintf(message + used, ERROR_MESSAGE_SIZE - used, "%s%s", used > 0 ? "; " : "", clean);
}

/*
 * A permission that is missing is what an operator has to know.  Its name may
 * be in the message, in the parameters or in the details: whatever member it
 * is in, it is told by its form.
 */
static void
add_permissions(const HttpResponse *response, const Secrets *secrets, Reading *reading)
{
	const char *end = response->body + response->body_length;
	const char *text = response->body;

	if (response->status != 403 || !response->complete)
		return;
	while (text < end)
	{
		const char *word_end = end_of_word(text, end);

		if (is_permission(text, word_end))
			add_permission(text, (size_t) (word_end - text), secrets, reading->error_message);
		text = word_end + 1;
	}
}

static void
read_failure(const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
	text_clean(reading->error_code, WORD_SIZE, json_member_text(body, "code"), secrets);
	read_message(body, response, secrets, reading);
	add_permissions(response, secrets, reading);
	text_hide_addresses(reading->error_message);
}

static void
read_correlation(const JsonObject *body, const HttpResponse *response,
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

void
refusal_read(const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
	if (reading->class != REPLY_DONE)
		read_failure(body, response, secrets, reading);
	read_correlation(body, response, secrets, reading);
}
