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
#include "dialect.h"

#include <string.h>

#include "json.h"
#include "memory.h"
#include "refusal.h"

#define CONVERSATIONS "/api/v2/conversations"

/* --- requests ---------------------------------------------------------------- */

typedef struct Messenger
{
	const char *type;
	size_t		longest_text;	/* characters */
	bool		starts_with_template;
	bool		addresses_contact;	/* by the id of an external contact */
	bool		addresses_number;
} Messenger;

static const Messenger messengers[] = {
	{"sms", GENESYS_CLOUD_SMS_MAX, false, false, true},
	{"whatsapp", GENESYS_CLOUD_TEXT_MAX, true, false, false},
	{"open", GENESYS_CLOUD_TEXT_MAX, false, false, false},
	{"apple", GENESYS_CLOUD_TEXT_MAX, false, false, false},
	{"webmessaging", GENESYS_CLOUD_TEXT_MAX, false, true, false},
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

static bool
sends_template(const CallMessage *call, const Messenger *messenger)
{
	return messenger != NULL && messenger->starts_with_template && call->template != NULL;
}

/* An SMS goes to a number, whatever characters people put between its digits. */
static bool
is_number(const char *address)
{
	return strpbrk(address, "0123456789") != NULL && address[strspn(address, "0123456789+-.() ")] == '\0';
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
	if (messenger == NULL)
		return "channel_not_supported";
	if (call->from_address == NULL)
		return "no_from_address";
	if (messenger->addresses_number && !is_number(call->to_address))
		return "address_is_no_number";
	if (sends_template(call, messenger))
		return names_response(call->template) ? NULL : "template_without_id";
	if (messenger->starts_with_template && call->step == STEP_CREATE)
		return "template_required";
	return count_characters(call->text) > messenger->longest_text ? "text_too_long" : NULL;
}

static char *
post_body(const CallMessage *call)
{
	const Messenger *messenger = find_messenger(call->channel);
	bool		to_contact = messenger != NULL && messenger->addresses_contact;
	JsonObject *body = json_new();
	char	   *text;

	json_add_text(body, "fromAddress", call->from_address);
	json_add_text(body, to_contact ? "externalContactId" : "toAddress", call->to_address);
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
compose(const CallMessage *call, const char *api_url, HttpRequest *request)
{
	if (call->step == STEP_CHECK)
		request->url = format_text("%s" CONVERSATIONS "/%s", api_url, call->conversation_id);
	else
	{
		request->url = format_text("%s" CONVERSATIONS "/messages/agentless", api_url);
		request->body = post_body(call);
	}
}

static void
compose_tag(const char *conversation_id, const char *root, const char *api_url,
			HttpRequest *request)
{
	JsonObject *body = json_new();

	json_add_text(body, "externalTag", root);
	request->url = format_text("%s" CONVERSATIONS "/%s/tags", api_url, conversation_id);
	request->body = json_write(body);
	request->puts = true;
	json_free(body);
}

/* --- the state of a conversation ---------------------------------------------- */

static bool
is_live(const char *state)
{
	static const char *const live_states[] = {
		"alerting", "dialing", "contacting", "offering", "connected", "converting",
		"uploading", "transmitting", "parked",
	};

	for (size_t i = 0; i < sizeof(live_states) / sizeof(live_states[0]); i++)
		if (strcmp(live_states[i], state) == 0)
			return true;
	return false;
}

/* One live state makes the conversation live; else the first one is its status. */
static void
read_state(const JsonObject *communication, Reading *reading)
{
	char		state[WORD_SIZE];

	if (reading->live ||
		!text_copy_word(state, WORD_SIZE, json_member_text(communication, "state")))
		return;
	reading->live = is_live(state);
	if (reading->live || reading->status[0] == '\0')
		strcpy(reading->status, state);
}

/* A participant's part in it: of messages, or flat where the API knows only those. */
static void
read_states(const JsonObject *participant, Reading *reading)
{
	size_t		count = json_member_count(participant, "messages");

	read_state(participant, reading);
	for (size_t i = 0; i < count; i++)
		read_state(json_member_at(participant, "messages", i), reading);
	/* no state is left of who has left */
	if (reading->status[0] == '\0' && json_member_text(participant, "endTime") != NULL)
		strcpy(reading->status, "disconnected");
}

/* --- whom it is with ------------------------------------------------------------ */

/* "unknown" is the API's own word for a type that it has no word for. */
static void
read_type(const JsonObject *communication, Reading *reading)
{
	char		type[WORD_SIZE];

	if (text_copy_word(type, WORD_SIZE, json_member_text(communication, "type")) &&
		strcmp(type, "unknown") != 0)
		strcpy(reading->channel, type);
}

/* The customer is who wrote first: "from", unless we did. */
static void
read_communication(const JsonObject *communication, Reading *reading)
{
	const char *from = json_member_text(json_member_object(communication, "fromAddress"),
										"addressNormalized");
	const char *to = json_member_text(json_member_object(communication, "toAddress"),
									  "addressNormalized");
	const char *direction = json_member_text(communication, "direction");
	bool		outbound = direction != NULL && strcasecmp(direction, "outbound") == 0;

	read_type(communication, reading);
	if (from == NULL && to == NULL)
		return;
	text_copy_line(reading->customer_address, ADDRESS_SIZE, outbound ? to : from);
	text_copy_line(reading->business_address, ADDRESS_SIZE, outbound ? from : to);
}

/*
 * A guest of the web messenger has no address that could be written to, and
 * writes to none: the external contact is addressed, from the deployment that
 * the server's option from_address names.
 */
static void
read_contact(const JsonObject *participant, Reading *reading)
{
	const Messenger *messenger = find_messenger(reading->channel);

	if (messenger == NULL || !messenger->addresses_contact)
		return;
	text_copy_line(reading->customer_address, ADDRESS_SIZE,
				   json_member_text(participant, "externalContactId"));
	reading->business_address[0] = '\0';
}

/* Of several communications the last one tells where the customer is. */
static void
read_customer(const JsonObject *participant, Reading *reading)
{
	size_t		count = json_member_count(participant, "messages");

	read_communication(participant, reading);
	for (size_t i = 0; i < count; i++)
		read_communication(json_member_at(participant, "messages", i), reading);
	read_contact(participant, reading);
}

static bool
is_customer(const JsonObject *participant)
{
	const char *purpose = json_member_text(participant, "purpose");

	return purpose != NULL && strcasecmp(purpose, "customer") == 0;
}

/* --- answers ---------------------------------------------------------------------- */

/* An id that we could have asked about, or none. */
static bool
read_id(const JsonObject *body, const char *name, Reading *reading)
{
	const char *id = json_member_text(body, name);

	if (id == NULL || !conversation_id_is_valid(id))
		return false;
	strcpy(reading->conversation_id, id);
	return true;
}

static void
read_check(const JsonObject *body, Reading *reading)
{
	size_t		count = json_member_count(body, "participants");

	for (size_t i = 0; i < count; i++)
	{
		const JsonObject *participant = json_member_at(body, "participants", i);

		read_states(participant, reading);
		if (is_customer(participant))
			read_customer(participant, reading);
	}
	/* it ended for all of them, whatever their states say */
	if (json_member_text(body, "endTime") != NULL)
	{
		reading->live = false;
		strcpy(reading->status, "ended");
	}
	if (reading->status[0] == '\0')
		reading_set(reading, REPLY_NOT_APPLIED, "unreadable");
	else
		read_id(body, "id", reading);
}

/* A notify need not say where it went; of a create nothing is known without. */
static void
read_post(Step step, const JsonObject *body, Reading *reading)
{
	if (!read_id(body, "conversationId", reading) && step == STEP_CREATE)
		reading_set(reading, REPLY_AMBIGUOUS, "unreadable");
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
		   Reading *reading)
{
	JsonObject *body = json_read(response->body, response->body_length);

	/* no URL of a POST names a conversation, so 404 finds none missing */
	reading_judge(reading, step == STEP_CHECK ? STEP_CHECK : STEP_CREATE, response);
	if (is_overtaken(step, reading, response, body))
		reading_set(reading, REPLY_OVERTAKEN, "overtaken");
	else if (reading->class == REPLY_DONE && step == STEP_CHECK)
		read_check(body, reading);
	else if (reading->class == REPLY_DONE)
		read_post(step, body, reading);

	refusal_read(body, response, secrets, reading);
	json_free(body);
}

const Dialect dialect_genesys_cloud = {
	.name = "genesys_cloud",
	.compose = compose,
	.compose_tag = compose_tag,
	.find_fault = find_fault,
	.read = read_reply,
};
