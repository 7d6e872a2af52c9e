/*
 * api.c: the contract that the simulator speaks.
 */
#include "api.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "cloud.h"
#include "conversations.h"
#include "ledger.h"
#include "oauth.h"
#include "quoting.h"
#include "replies.h"
#include "settings.h"

static bool
is_empty(const char *text)
{
	return text == NULL || *text == '\0';
}

static void
refuse(const Request *request, Answer *answer, const char *code, const char *message)
{
	answer_error(answer, request, MHD_HTTP_BAD_REQUEST, code, message);
}

static void
refuse_unknown(const Request *request, Answer *answer)
{
	answer_error(answer, request, MHD_HTTP_NOT_FOUND, "conversation.not.found",
				 "The conversation was not found.");
}

static void
refuse_closed(const Request *request, Answer *answer)
{
	refuse(request, answer, "conversation.closed",
		   "Cannot send notification to closed conversation");
}

static void
refuse_by_rule(const Request *request, Answer *answer)
{
	answer_error(answer, request, MHD_HTTP_UNPROCESSABLE_CONTENT, "message.rejected",
				 "The message was rejected by the recipient's carrier.");
}

static void
check(const Request *request, Answer *answer)
{
	const Conversation *conversation = conversation_look(request->conversation_id);

	if (conversation->gone)
	{
		refuse_unknown(request, answer);
		return;
	}
	answer_start(answer, MHD_HTTP_OK);
	conversation_write(answer->body, conversation);
}

/* Whether the body may become a notification; writes the refusal if not. */
static bool
is_notification(const Request *request, Answer *answer)
{
	if (json_object_object_get_ex(request->document, "previousConversationId", NULL))
		refuse(request, answer, "unexpected.field",
			   "previousConversationId is not allowed in a notification");
	else if (is_empty(request->text))
		refuse(request, answer, "missing.text", "text is required");
	else
		return true;
	return false;
}

static void
deliver_notification(const Request *request, Answer *answer, const Conversation *conversation)
{
	char		message_id[IDENTIFIER_SIZE];

	identifier_make(message_id);
	ledger_record_notification(request, conversation->id, conversation->customer);
	answer_start(answer, MHD_HTTP_OK);
	sprintbuf(answer->body, "{\"id\":\"%s\",\"conversationId\":", message_id);
	append_json(answer->body, conversation->id);
	append_text(answer->body, "}");
}

static void
notify(const Request *request, Answer *answer)
{
	const Conversation *conversation = conversation_look(request->conversation_id);

	if (conversation->gone)
		refuse_unknown(request, answer);
	else if (!is_notification(request, answer))
		return;
	else if (conversation->races)
	{
		conversation_close(conversation);
		refuse_closed(request, answer);
	}
	else if (!conversation_is_live(conversation))
		refuse_closed(request, answer);
	else if (conversation->rejects)
		refuse_by_rule(request, answer);
	else
		deliver_notification(request, answer, conversation);
}

/* The session that a create request asks for. */
static Conversation
make_session(const Request *request, const char *id)
{
	struct json_object *metadata = NULL;
	Conversation session = {
		.id = id,
		.status = "active",
		.channel = request->channel,
		.customer = request->to,
		.business = request->from ? request->from : BUSINESS_ADDRESS,
		.outbound = true,
		.looks_left = settings.close_after_looks,
		.hidden_looks = settings.hide_created,
	};

	json_object_object_get_ex(request->document, "metadata", &metadata);
	if (metadata != NULL)
		session.metadata = json_object_to_json_string_ext(metadata, JSON_C_TO_STRING_PLAIN);
	if (settings.close_after_looks != UNLIMITED)
		session.then = "closed";
	return session;
}

/* Whether the body may become a session; writes the refusal if not. */
static bool
is_session(const Request *request, Answer *answer)
{
	if (is_empty(request->to))
		refuse(request, answer, "missing.to", "to.address is required");
	else if (is_empty(request->channel))
		refuse(request, answer, "missing.channel", "channel is required");
	else if (is_empty(request->text))
		refuse(request, answer, "missing.text", "text is required");
	else
		return true;
	return false;
}

/* Beside what a check says of the session. */
static void
add_message_id(Answer *answer)
{
	char		message_id[IDENTIFIER_SIZE];

	identifier_make(message_id);
	answer->body->buf[--answer->body->bpos] = '\0';
	sprintbuf(answer->body, ",\"messageId\":\"%s\"}", message_id);
}

static void
create(const Request *request, Answer *answer)
{
	const char *previous_id = request->previous_id ? request->previous_id : "";
	const Conversation *previous = conversation_peek(previous_id);
	char		fresh_id[IDENTIFIER_SIZE];
	Conversation session;

	if (!is_session(request, answer))
		return;
	if (previous->rejects)
	{
		refuse_by_rule(request, answer);
		return;
	}

	identifier_make(fresh_id);
	session = make_session(request, fresh_id);
	if (previous->continues)
		session.id = previous_id;
	else if (previous->returns_to != NULL)
		session.id = previous->returns_to;
	session.continues = previous->continues;
	if (previous->returns)
	{
		session.status = "closed";
		session.returns_to = previous_id;
	}
	conversation_save(&session);
	ledger_record_session(request, session.id);
	answer_start(answer, MHD_HTTP_CREATED);
	conversation_write(answer->body, &session);
	add_message_id(answer);
}

static bool
is_json(const Request *request)
{
	const char *json = "application/json";

	return request->content_type != NULL &&
		strncasecmp(request->content_type, json, strlen(json)) == 0;
}

static void
post(Request *request, Answer *answer)
{
	if (!request->cloud && reply_replay(request, answer))
		return;
	if (!is_json(request))
		answer_usual_error(answer, request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE);
	else if (!json_object_is_type(request->document, json_type_object))
		answer_usual_error(answer, request, MHD_HTTP_BAD_REQUEST);
	else if (request->cloud)
	{
		/* it knows no keys */
		cloud_send(request, answer);
		return;
	}
	else if (request->verb == VERB_NOTIFY)
		notify(request, answer);
	else
		create(request, answer);
	reply_remember(request, answer);
}

void
api_answer(Request *request, Answer *answer)
{
	if (request->allowed_method == NULL)
		answer_usual_error(answer, request, MHD_HTTP_NOT_FOUND);
	else if (request->verb == VERB_OTHER)
	{
		answer_usual_error(answer, request, MHD_HTTP_METHOD_NOT_ALLOWED);
		answer_set_header(answer, MHD_HTTP_HEADER_ALLOW, request->allowed_method);
	}
	else if (request->too_large)
		answer_usual_error(answer, request, MHD_HTTP_CONTENT_TOO_LARGE);
	else if (request->verb == VERB_TOKEN)
		oauth_answer(request, answer);
	else if (!request->authorised)
	{
		answer_usual_error(answer, request, MHD_HTTP_UNAUTHORIZED);
		answer_set_header(answer, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"simulator\"");
	}
	else if (request->verb == VERB_CHECK && request->cloud)
		cloud_check(request, answer);
	else if (request->verb == VERB_TAG)
		cloud_tag(request, answer);
	else if (request->verb == VERB_CHECK)
		check(request, answer);
	else
		post(request, answer);
}
