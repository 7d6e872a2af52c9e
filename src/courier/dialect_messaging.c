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

#include "complaint.h"
#include "iso_time.h"
#include "json.h"
#include "memory.h"
#include "refusal.h"

#define CONVERSATIONS "/api/v2/conversations/messaging"

/* The year 10000; and 1973 in milliseconds, which in seconds is beyond it. */
#define LATEST_MS INT64_C(253402300800000)
#define SECONDS_BELOW INT64_C(100000000000)

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
compose_request(const CallMessage *call, const char *api_url, HttpRequest *request)
{
	switch ((Step) call->step)
	{
		case STEP_CHECK:
			request->url = join_texts(api_url, CONVERSATIONS "/", call->conversation_id, NULL);
			break;
		case STEP_NOTIFY:
			request->url = join_texts(api_url, CONVERSATIONS "/", call->conversation_id, "/notifications", NULL);
			request->body = notify_body(call);
			break;
		case STEP_CREATE:
			request->url = join_texts(api_url, CONVERSATIONS, NULL);
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

/* As text, or as a number: of milliseconds since 1970, or of seconds if it is that small. */
static void
read_last_inbound(const JsonObject *body, Reading *reading)
{
	const char *text = json_member_text(body, "lastInboundAt");
	int64_t		number;

	if (text != NULL)
		iso_time_read(text, &reading->last_inbound_at);
	else if (json_member_number(body, "lastInboundAt", &number) && number > 0 && number < LATEST_MS)
		reading->last_inbound_at = number * (number < SECONDS_BELOW ? 1000000 : 1000);
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
	read_last_inbound(body, reading);
	reading_set_conversation_id(reading, json_member_text(body, "id"));
}

/* What a create answers is the conversation, what a notify answers is the message. */
static void
read_message_id(Step step, const JsonObject *body, Reading *reading)
{
	const char *id = json_member_word(json_member_object(body, "message"), "id");

	if (id == NULL)
		id = json_member_word(body, "messageId");
	if (id == NULL && step == STEP_NOTIFY)
		id = json_member_word(body, "id");
	reading_set_message_id(reading, id);
}

static void
read_create(const JsonObject *body, Reading *reading)
{
	if (!reading_set_conversation_id(reading, json_member_text(body, "id")))
		reading_set(reading, REPLY_AMBIGUOUS, "unreadable");
}

static void
read_success(Step step, const JsonObject *body, Reading *reading)
{
	if (step == STEP_CHECK)
	{
		read_check(body, reading);
		return;
	}
	if (step == STEP_CREATE)
		read_create(body, reading);
	read_message_id(step, body, reading);
	if (refusal_is_of_message(body))
		reading_set(reading, REPLY_REJECTED, "message_failed");
}

/* Of a reply with megabytes of metadata. */
static const char *const wanted[] = {
	"id", "status", "channel", "direction", "from", "to", "address", "lastInboundAt",
	"message", "messageId", NULL
};

static void
read_reply(Step step, const HttpResponse *response, const Secrets *secrets,
		   const char *opt_out_words, Reading *reading)
{
	JsonObject *body = complaint_body(response, wanted);

	reading_judge(reading, step, response);
	if (reading->class == REPLY_DONE)
		read_success(step, body, reading);
	else if (step == STEP_NOTIFY && refusal_is_closed(response, body))
		reading_set(reading, REPLY_CLOSED, "closed");

	refusal_read(step, body, response, secrets, opt_out_words, reading);
	json_free(body);
}

const Dialect dialect_messaging = {
	.compose = compose_request,
	.read = read_reply,
};
