/*
 * dialect_genesys_cloud.c: the dialect "genesys_cloud", the published
 * Platform API.
 *
 *   check   GET  /api/v2/conversations/{id}
 *   notify  POST /api/v2/conversations/messages/agentless, into the active conversation
 *   create  the same, but not into an active one
 *
 *   tag     PUT  /api/v2/conversations/{id}/tags
 *
 * The POSTs name no conversation: they address a customer, and the answer says
 * in which conversation the message is.  There is no idempotency key.  The
 * header with ours is sent all the same: the API does not look at it, and
 * whoever traces a request finds its nudge.
 */
#define _GNU_SOURCE
#include "dialect_genesys_cloud.h"

#include <stdlib.h>
#include <string.h>

#include "address_form.h"
#include "complaint.h"
#include "dialect_traits.h"
#include "json.h"
#include "memory.h"
#include "refusal.h"
#include "sms_segments.h"

#define CONVERSATIONS "/api/v2/conversations"

/* --- requests ---------------------------------------------------------------- */

typedef struct Messenger
{
	const char *type;
	bool		starts_with_template;
	bool		addresses_contact;	/* by the id of an external contact */
	const char *numbers_like;	/* the channel whose telephone numbers it addresses; NULL: it has ids */
} Messenger;

static const Messenger messengers[] = {
	{"sms", false, false, "sms"},
	{"whatsapp", true, false, "whatsapp"},
	{"open", false, false, NULL},
	{"apple", false, false, "sms"},
	{"webmessaging", false, true, NULL},
};

static const Messenger *
find_messenger(const char *type)
{
	for (size_t i = 0; type != NULL && i < sizeof(messengers) / sizeof(messengers[0]); i++)
		if (strcmp(messengers[i].type, type) == 0)
			return &messengers[i];
	return NULL;
}

/* Of UTF-8 text: all bytes but those that continue a character. */
static size_t
count_characters(const char *text)
{
	size_t		count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char) *text & 0xC0) != 0x80;
	return count;
}

/* What leaves as an SMS is as long as its segments are many. */
static bool
is_too_long(const char *text, const Messenger *messenger)
{
	if (strcmp(messenger->type, "sms") == 0)
		return sms_length(text).segments > dialect_traits[DIALECT_genesys_cloud].sms_segments_max;
	return count_characters(text) > (size_t) dialect_traits[DIALECT_genesys_cloud].text_max;
}

static bool
sends_template(const CallMessage *call, const Messenger *messenger)
{
	return messenger != NULL && messenger->starts_with_template && call->template != NULL;
}

/*
 * The address as the messenger has it: a number in E.164, on WhatsApp its digits
 * only, any other id as it is.  False: it cannot be put so.
 */
static bool
write_recipient(char *written, const char *address, const Messenger *messenger)
{
	const char *channel = messenger->numbers_like;

	if (channel == NULL)
	{
		strcpy(written, address);
		return true;
	}
	if (strcmp(channel, "whatsapp") != 0)
		return address_form(written, address, channel, NULL) == ADDRESS_FAULTLESS;
	/* its ids have the prefixes that they were made with */
	if (address_spelling(written, address, channel, NULL) != ADDRESS_FAULTLESS)
		return false;
	memmove(written, written + 1, strlen(written));
	return true;
}

/* Not every sender of messages has a number: there are short codes and names. */
static void
write_sender(char *written, const char *address, const Messenger *messenger)
{
	if (messenger == NULL || messenger->numbers_like == NULL || strcmp(messenger->type, "sms") != 0 ||
		address_form(written, address, messenger->numbers_like, NULL) != ADDRESS_FAULTLESS)
		strcpy(written, address);
}

/* A template is one of the canned responses, by its id. */
static bool
names_response(const char *template)
{
	JsonObject *object = json_read(template, strlen(template));
	const char *id = json_member_text(object, "responseId");
	bool		answer = id != NULL && id[0] != '\0';

	json_free(object);
	return answer;
}

/* What a preview cannot know: "{customer address}". */
static bool
is_to_be_read(const CallMessage *call, const char *text)
{
	return call->render_only && text != NULL && text[0] == '{';
}

static bool
can_be_written(const char *address, const Messenger *messenger)
{
	char	   *written = allocate(strlen(address) + ADDRESS_FORM_ROOM);
	bool		answer = write_recipient(written, address, messenger);

	free(written);
	return answer;
}

/*
 * Into a live conversation even WhatsApp takes plain text for a while; whether
 * that time is over only the API knows.
 */
static const char *
find_fault(const CallMessage *call)
{
	const Messenger *messenger = find_messenger(call->channel);

	if (call->to_address == NULL)
		return "no_address";
	if (is_to_be_read(call, call->channel))
		return NULL;
	if (messenger == NULL)
		return "channel_not_supported";
	if (call->from_address == NULL)
		return "no_from_address";
	if (!is_to_be_read(call, call->to_address) && !can_be_written(call->to_address, messenger))
		return "address_is_no_number";
	if (sends_template(call, messenger))
		return names_response(call->template) ? NULL : "template_without_id";
	if (messenger->starts_with_template && call->step == STEP_CREATE)
		return "template_required";
	return is_too_long(call->text, messenger) ? "text_too_long" : NULL;
}

/* What has no such form is shown as it is, and was never to be sent. */
static void
add_addresses(JsonObject *body, const CallMessage *call, const Messenger *messenger)
{
	const char *to = call->to_address ? call->to_address : "";
	const char *from = call->from_address ? call->from_address : "";
	char	   *written = allocate(strlen(to) + strlen(from) + ADDRESS_FORM_ROOM);

	write_sender(written, from, messenger);
	json_add_text(body, "fromAddress", call->from_address ? written : NULL);
	if (messenger == NULL || !write_recipient(written, to, messenger))
		strcpy(written, to);
	json_add_text(body, messenger != NULL && messenger->addresses_contact ? "externalContactId" : "toAddress",
				  call->to_address ? written : NULL);
	free(written);
}

static char *
post_body(const CallMessage *call)
{
	const Messenger *messenger = find_messenger(call->channel);
	JsonObject *body = json_new();
	char	   *text;

	add_addresses(body, call, messenger);
	json_add_text(body, "toAddressMessengerType", call->channel);
	if (sends_template(call, messenger))
		json_add_read(body, "messagingTemplate", call->template);
	else
		json_add_text(body, "textBody", call->text);
	json_add_flag(body, "useExistingActiveConversation", call->step == STEP_NOTIFY);
	text = json_write(body);
	json_free(body);
	return text;
}

static void
compose_request(const CallMessage *call, const char *api_url, HttpRequest *request)
{
	if (call->step == STEP_CHECK)
		request->url = join_texts(api_url, CONVERSATIONS "/", call->conversation_id, NULL);
	else
	{
		request->url = join_texts(api_url, CONVERSATIONS "/messages/agentless", NULL);
		request->body = post_body(call);
	}
}

static void
compose_tag(const char *conversation_id, const char *root, const char *api_url,
			HttpRequest *request)
{
	JsonObject *body = json_new();

	json_add_text(body, "externalTag", root);
	request->url = join_texts(api_url, CONVERSATIONS "/", conversation_id, "/tags", NULL);
	request->body = json_write(body);
	request->puts = true;
	json_free(body);
}

/* --- answers ---------------------------------------------------------------------- */

/* A notify need not say where it went; of a create nothing is known without. */
static void
read_post(Step step, const JsonObject *body, Reading *reading)
{
	const char *id = json_member_word(body, "id");

	if (id == NULL)
		id = json_member_word(json_member_object(body, "message"), "id");
	if (!reading_set_conversation_id(reading, json_member_text(body, "conversationId")) && step == STEP_CREATE)
		reading_set(reading, REPLY_AMBIGUOUS, "unreadable");
	reading_set_message_id(reading, id);
	if (refusal_is_of_message(body))
		reading_set(reading, REPLY_REJECTED, "message_failed");
}

static bool
is_overtaken(Step step, const Reading *reading, const HttpResponse *response,
			 const JsonObject *body)
{
	return step == STEP_CREATE && refusal_is_overtaken(response, body) &&
		(reading->class == REPLY_REJECTED || reading->http_status == 403);
}

static void
read_reply(Step step, const HttpResponse *response, const Secrets *secrets,
		   const char *opt_out_words, Reading *reading)
{
	JsonObject *body = complaint_body(response, genesys_cloud_wanted);

	/* no URL of a POST names a conversation, so 404 finds none missing */
	reading_judge(reading, step == STEP_CHECK ? STEP_CHECK : STEP_CREATE, response);
	if (is_overtaken(step, reading, response, body))
		reading_set(reading, REPLY_OVERTAKEN, "overtaken");
	else if (reading->class == REPLY_DONE && step == STEP_CHECK)
		genesys_cloud_read_check(body, reading);
	else if (reading->class == REPLY_DONE)
		read_post(step, body, reading);

	refusal_read(step, body, response, secrets, opt_out_words, reading);
	json_free(body);
}

const Dialect dialect_genesys_cloud = {
	.compose = compose_request,
	.compose_tag = compose_tag,
	.find_fault = find_fault,
	.read = read_reply,
};
