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

#include "complaint.h"
#include "headers.h"
#include "opt_out.h"
#include "unescape.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
contains_words(const char *text, const char *words)
{
	return text != NULL && strcasestr(text, words) != NULL;
}

static bool
says_words(const Complaint *complaint, void *argument)
{
	const char *words = argument;

	return contains_words(complaint->message, words) || contains_words(complaint->code, words);
}

static bool
is_one_of(const Refusal *refusals, size_t count, const HttpResponse *response,
		  const JsonObject *body)
{
	for (size_t i = 0; response->complete && i < count; i++)
		if (response->status >= refusals[i].lowest && response->status <= refusals[i].highest &&
			complaints_any(body, says_words, (void *) refusals[i].words))
			return true;
	return false;
}

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

bool
refusal_is_of_message(const JsonObject *body)
{
	static const char *const failures[] = {
		"failed", "delivery-failed", "delivery_failed", "deliveryFailed", "undelivered", "rejected", "removed",
	};
	const char *status = json_member_text(json_member_object(body, "message"), "status");

	for (size_t i = 0; status != NULL && i < COUNT(failures); i++)
		if (strcasecmp(status, failures[i]) == 0)
			return true;
	return false;
}

/* --- opt-outs ------------------------------------------------------------------- */

static bool
says_opted_out(const Complaint *complaint, void *argument)
{
	return opt_out_is_said(complaint->code, complaint->message, argument);
}

/* A short answer that is no JSON, and no page either, is a message. */
#define PLAIN_MESSAGE_MAX 1000

static bool
says_opted_out_plainly(const HttpResponse *response, const char *opt_out_words)
{
	char		text[PLAIN_MESSAGE_MAX + 1];

	if (response->body_length == 0 || response->body_length > PLAIN_MESSAGE_MAX ||
		memchr("<{[", response->body[0], 3) != NULL)
		return false;
	memcpy(text, response->body, response->body_length);
	text[response->body_length] = '\0';
	return opt_out_is_said(NULL, text, opt_out_words);
}

/* An answer to this one request that is about its recipient, as far as HTTP tells. */
static bool
can_be_opt_out(Step step, const HttpResponse *response, const Reading *reading)
{
	int			status = response->status;

	if (step == STEP_CHECK || reading->class == REPLY_DONE || !response->complete)
		return false;
	if (status >= 200 && status <= 299)
		return reading->class == REPLY_REJECTED;
	return status >= 400 && status <= 499 && status != 401 && status != 407 && status != 408 &&
		status != 425 && status != 429;
}

static void
read_opt_out(Step step, const JsonObject *body, const HttpResponse *response,
			 const char *opt_out_words, Reading *reading)
{
	if (!can_be_opt_out(step, response, reading))
		return;
	reading->opted_out = body != NULL ?
		complaints_any(body, says_opted_out, (void *) opt_out_words) :
		says_opted_out_plainly(response, opt_out_words);
	if (reading->opted_out)
		reading_set(reading, REPLY_REJECTED, "opted_out");
}

/* --- what there is to tell -------------------------------------------------------- */

/* An answer that agreed tells of an error only where it says that it is one. */
static Complaint
find_complaint(const JsonObject *body, const HttpResponse *response)
{
	static const char *const places[] = {"error", "message"};
	Complaint	complaint = {NULL, NULL};

	if (response->status < 200 || response->status > 299)
		return complaint_of(body);
	for (size_t i = 0; complaint.code == NULL && complaint.message == NULL && i < COUNT(places); i++)
		complaint = complaint_of(json_member_object(body, places[i]));
	return complaint;
}

/* Its own, or the answer of whoever stands before the API, or the network's words. */
static void
read_message(const char *message, const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
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

/* Codes have up to 9 digits, and telephone numbers with their country's more. */
static bool
is_short_number(const char *code)
{
	return strlen(code) < 10 && code[strspn(code, "0123456789")] == '\0';
}

static void
read_failure(const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
	Complaint	complaint = find_complaint(body, response);

	if (complaint.code != NULL && is_short_number(complaint.code))
		text_clean_id(reading->error_code, WORD_SIZE, complaint.code, secrets);
	else
		text_clean(reading->error_code, WORD_SIZE, complaint.code, secrets);
	read_message(complaint.message, body, response, secrets, reading);
	add_permissions(response, secrets, reading);
}

/* Of other characters there are words, or an address. */
static bool
is_id(const char *text)
{
	while (is_alnum((unsigned char) *text) || (*text != '\0' && strchr("_.:/=-", *text) != NULL))
		text++;
	return *text == '\0';
}

static void
read_correlation(const JsonObject *body, const HttpResponse *response,
				 const Secrets *secrets, Reading *reading)
{
	char		value[CORRELATION_ID_SIZE];
	const char *id = value;

	if (!headers_find(response->headers, response->headers_length,
					  "ININ-Correlation-Id", value, sizeof(value)))
		id = json_member_text(body, "contextId");
	if (id != NULL && is_id(id))
		text_clean_id(reading->correlation_id, CORRELATION_ID_SIZE, id, secrets);
	else
		text_clean(reading->correlation_id, CORRELATION_ID_SIZE, id, secrets);
}

void
refusal_read(Step step, const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, const char *opt_out_words, Reading *reading)
{
	read_opt_out(step, body, response, opt_out_words, reading);
	if (reading->class != REPLY_DONE)
		read_failure(body, response, secrets, reading);
	read_correlation(body, response, secrets, reading);
}
