/*
 * dialect_messaging.c: the dialect "messaging".
 *
 *   check   GET  /api/v2/conversations/messaging/{id}
 *   notify  POST /api/v2/conversations/messaging/{id}/notifications
 *   create  POST /api/v2/conversations/messaging
 *
 * Lenient where an API may choose, strict where a wrong guess would speak to
 * the wrong person or twice: without a readable status a conversation is
 * neither live nor closed, without a readable id nothing is known to be made.
 */
#define _GNU_SOURCE
#include "dialect.h"

#include <string.h>

#include "headers.h"
#include "json.h"
#include "memory.h"

#define CONVERSATIONS "/api/v2/conversations/messaging"

static char *
notify_body(const CallMessage *call)
{
	JsonObject *body = json_new();
	char	   *text;

	json_add_text(body, "text", call->text);
	text = json_write(body);
	json_free(body);
	return text;
}

static void
add_address(JsonObject *body, const char *name, const char *address)
{
	if (address != NULL)
		json_add_text(json_add_object(body, name), "address", address);
}

static char *
create_body(const CallMessage *call)
{
	JsonObject *body = json_new();
	JsonObject *metadata;
	char	   *text;

	add_address(body, "to", call->to_address);
	add_address(body, "from", call->from_address);
	json_add_text(body, "channel", call->channel);
	json_add_text(body, "text", call->text);
	metadata = json_add_object(body, "metadata");
	json_add_text(metadata, "previousConversationId", call->conversation_id);
	json_add_text(metadata, "nudgeId", call->nudge_id);
	text = json_write(body);
	json_free(body);
	return text;
}

static void
compose(const CallMessage *call, const char *api_url, HttpRequest *request)
{
	switch ((Step) call->step)
	{
		case STEP_CHECK:
			request->url = format_text("%s" CONVERSATIONS "/%s",
									   api_url, call->conversation_id);
			break;
		case STEP_NOTIFY:
			request->url = format_text("%s" CONVERSATIONS "/%s/notifications",
									   api_url, call->conversation_id);
			request->body = notify_body(call);
			break;
		case STEP_CREATE:
			request->url = format_text("%s" CONVERSATIONS, api_url);
			request->body = create_body(call);
			break;
	}
}

static bool
status_is_live(const char *status)
{
	return strcmp(status, "active") == 0 || strcmp(status, "ringing") == 0;
}

/* The customer is who wrote first: "from", unless we did. */
static void
read_addresses(const JsonObject *body, Reading *reading)
{
	const char *from = json_member_text(json_member_object(body, "from"), "address");
	const char *to = json_member_text(json_member_object(body, "to"), "address");
	const char *direction = json_member_text(body, "direction");
	bool		outbound = direction != NULL && strcasecmp(direction, "outbound") == 0;

	text_copy_line(reading->customer_address, ADDRESS_SIZE, outbound ? to : from);
	text_copy_line(reading->business_address, ADDRESS_SIZE, outbound ? from : to);
}

/* An id that we could have asked about, or none. */
static bool
read_id(const JsonObject *body, Reading *reading)
{
	const char *id = json_member_text(body, "id");

	if (id == NULL || !conversation_id_is_valid(id))
		return false;
	strcpy(reading->conversation_id, id);
	return true;
}

static void
read_check(const JsonObject *body, Reading *reading)
{
	if (!text_copy_word(reading->status, WORD_SIZE, json_member_text(body, "status")))
	{
		reading_set(reading, REPLY_NOT_APPLIED, "unreadable");
		return;
	}
	reading->live = status_is_live(reading->status);
	text_copy_word(reading->channel, WORD_SIZE, json_member_text(body, "channel"));
	read_addresses(body, reading);
	read_id(body, reading);
}

static void
read_create(const JsonObject *body, Reading *reading)
{
	if (!read_id(body, reading))
		reading_set(reading, REPLY_AMBIGUOUS, "unreadable");
}

/* How APIs say that a notify came too late because the conversation closed. */
typedef struct ClosedRefusal
{
	int			status;
	const char *words;
} ClosedRefusal;

static const ClosedRefusal closed_refusals[] = {
	{400, "closed"},			/* "Cannot send notification to closed conversation" */
	{400, "not in a state that allows"},
	{403, "closed"},
	{403, "not in a state that allows"},
	{409, "closed"},
	{409, "not in a state that allows"},
};

static bool
contains(const char *text, const char *words)
{
	return text != NULL && strcasestr(text, words) != NULL;
}

static bool
is_refused_as_closed(int status, const char *code, const char *message)
{
	for (size_t i = 0; i < sizeof(closed_refusals) / sizeof(closed_refusals[0]); i++)
		if (closed_refusals[i].status == status &&
			(contains(message, closed_refusals[i].words) ||
			 contains(code, closed_refusals[i].words)))
			return true;
	return false;
}

/*
 * What is there to tell of a failure: the API's message; if it sent a page
 * instead, that; if there was no answer, what the network said.  Never the
 * content of an answer that is not about an error, and never an address.
 */
static void
read_error(const JsonObject *body, const HttpResponse *response,
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

static void
read_refusal(Step step, const JsonObject *body, const HttpResponse *response,
			 Reading *reading)
{
	if (step == STEP_NOTIFY && response->complete &&
		is_refused_as_closed(response->status, json_member_text(body, "code"),
							 json_member_text(body, "message")))
		reading_set(reading, REPLY_CLOSED, "closed");
}

static void
read_correlation_id(const JsonObject *body, const HttpResponse *response,
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

static void
read_reply(Step step, const HttpResponse *response, const Secrets *secrets,
		   Reading *reading)
{
	JsonObject *body = json_read(response->body, response->body_length);

	reading_judge(reading, step, response);
	if (reading->class != REPLY_DONE)
		read_refusal(step, body, response, reading);
	else if (step == STEP_CHECK)
		read_check(body, reading);
	else if (step == STEP_CREATE)
		read_create(body, reading);

	if (reading->class != REPLY_DONE)
		read_error(body, response, secrets, reading);
	read_correlation_id(body, response, secrets, reading);
	json_free(body);
}

const Dialect dialect_messaging = {
	.name = "messaging",
	.compose = compose,
	.read = read_reply,
};
