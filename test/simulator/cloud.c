/*
 * cloud.c: the published Genesys Cloud API, over the same conversations.
 *
 * Its messages are for an address, so it remembers which conversation each
 * customer was seen in last: by a check, or by a message that made one.
 */
#include "cloud.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/linkhash.h>

#include "answer.h"
#include "conversations.h"
#include "ledger.h"
#include "memory.h"
#include "quoting.h"
#include "settings.h"

#define CONTACT_PREFIX "contact-"
#define SMS_MAX 765
#define TEXT_MAX 2000

static struct lh_table *last_seen = NULL;	/* address -> conversation id */

static void
free_entry(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
	free((void *) lh_entry_v(entry));
}

static void
see(const char *address, const char *id)
{
	struct lh_entry *entry;

	if (last_seen == NULL)
		last_seen = lh_kchar_table_new(1024, free_entry);
	entry = lh_table_lookup_entry(last_seen, address);
	if (entry != NULL)
		lh_table_delete_entry(last_seen, entry);
	lh_table_insert(last_seen, allocated(strdup(address)), allocated(strdup(id)));
}

void
cloud_forget(void)
{
	if (last_seen != NULL)
		lh_table_free(last_seen);
	last_seen = NULL;
}

void
cloud_find_conversation(Request *request)
{
	void	   *id;

	if (!request->cloud || request->to == NULL || last_seen == NULL ||
		!lh_table_lookup_ex(last_seen, request->to, &id))
		return;
	if (request->verb == VERB_NOTIFY)
		strcpy(request->conversation_id, id);
	else if (request->verb == VERB_CREATE)
	{
		strcpy(request->previous, id);
		request->previous_id = request->previous;
	}
}

/* --- check --------------------------------------------------------------------- */

static const char *
state_of(const Conversation *conversation)
{
	if (!conversation_is_live(conversation))
		return strcmp(conversation->status, "closed") == 0 ? "disconnected" : conversation->status;
	return strcmp(conversation->status, "ringing") == 0 ? "alerting" : "connected";
}

static void
write_address(struct printbuf *buffer, const char *role, const char *address)
{
	if (address == NULL)
		return;
	sprintbuf(buffer, ",\"%s\":{\"name\":\"\",\"addressNormalized\":", role);
	append_json(buffer, address);
	append_text(buffer, "}");
}

static void
write_message(struct printbuf *buffer, const Conversation *conversation)
{
	if (conversation->wrote_at == NULL)
		return;
	append_text(buffer, "{\"messageId\":\"message-1\",\"messageStatus\":\"received\",\"messageTime\":");
	append_json(buffer, conversation->wrote_at);
	append_text(buffer, "}");
}

static void
write_communication(struct printbuf *buffer, const Conversation *conversation)
{
	append_text(buffer, "{\"id\":\"communication-1\",\"state\":");
	if (conversation->numeric_status)
		append_text(buffer, "4");
	else
		append_json(buffer, state_of(conversation));
	sprintbuf(buffer, ",\"direction\":\"%s\",\"type\":", conversation->outbound ? "outbound" : "inbound");
	append_json(buffer, conversation->channel);
	write_address(buffer, conversation->outbound ? "toAddress" : "fromAddress", conversation->customer);
	write_address(buffer, conversation->outbound ? "fromAddress" : "toAddress", conversation->business);
	append_text(buffer, ",\"messages\":[");
	write_message(buffer, conversation);
	append_text(buffer, "]}");
}

/* The customer's communication, in the list of its kind; and whoever else is there. */
static void
write_participants(struct printbuf *buffer, const Conversation *conversation)
{
	append_text(buffer, "{\"id\":\"participant-1\",\"purpose\":\"customer\",\"externalContactId\":\"" CONTACT_PREFIX);
	sprintbuf(buffer, "%s\",\"%s\":[", conversation->id,
			  conversation->media != NULL ? conversation->media : "messages");
	write_communication(buffer, conversation);
	append_text(buffer, "]}");
	if (conversation->participants == NULL || strcmp(conversation->participants, "[]") == 0)
		return;
	/* the array without its brackets */
	append_text(buffer, ",");
	printbuf_memappend(buffer, conversation->participants + 1, (int) strlen(conversation->participants) - 2);
}

static bool
has_ended(const Conversation *conversation)
{
	return conversation->status != NULL && !conversation->numeric_status &&
		conversation->participants == NULL && strcmp(conversation->status, "closed") == 0;
}

static void
write_conversation(struct printbuf *buffer, const Conversation *conversation)
{
	append_text(buffer, "{\"id\":");
	append_json(buffer, conversation->id);
	append_text(buffer, ",\"startTime\":\"2026-01-01T00:00:00.000Z\"");
	if (has_ended(conversation))
		append_text(buffer, ",\"endTime\":\"2026-01-02T00:00:00.000Z\"");
	append_text(buffer, ",\"participants\":[");
	if (conversation->status != NULL)
		write_participants(buffer, conversation);
	append_text(buffer, "],\"recentTransfers\":[]}");
}

static void
see_customer(const Conversation *conversation)
{
	char		contact[sizeof(CONTACT_PREFIX) + CONVERSATION_ID_SIZE] = CONTACT_PREFIX;

	if (conversation->customer != NULL)
		see(conversation->customer, conversation->id);
	see(strcat(contact, conversation->id), conversation->id);
}

void
cloud_check(const Request *request, Answer *answer)
{
	const Conversation *conversation = conversation_look(request->conversation_id);

	if (conversation->gone)
	{
		answer_usual_error(answer, request, MHD_HTTP_NOT_FOUND);
		return;
	}
	see_customer(conversation);
	answer_start(answer, MHD_HTTP_OK);
	write_conversation(answer->body, conversation);
}

/* The tag itself is in the ledger. */
void
cloud_tag(const Request *request, Answer *answer)
{
	if (conversation_peek(request->conversation_id)->gone)
		answer_usual_error(answer, request, MHD_HTTP_NOT_FOUND);
	else if (request->text == NULL)
		answer_usual_error(answer, request, MHD_HTTP_BAD_REQUEST);
	else
		answer_start(answer, MHD_HTTP_NO_CONTENT);
}

/* --- agentless messages ----------------------------------------------------------- */

static size_t
count_characters(const char *text)
{
	size_t		count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char) *text & 0xC0) != 0x80;
	return count;
}

/* What is wrong with the message, or NULL. */
static const char *
complaint_about(const Request *request)
{
	bool		templated = json_object_object_get_ex(request->document, "messagingTemplate", NULL);

	if (request->from == NULL || request->to == NULL || request->channel == NULL)
		return "fromAddress, a recipient and toAddressMessengerType are required";
	if (!json_object_object_get_ex(request->document, strcmp(request->channel, "webmessaging") == 0 ?
								   "externalContactId" : "toAddress", NULL))
		return "the recipient does not fit the messenger type";
	if (templated)
		return NULL;
	if (request->text == NULL)
		return "textBody is required";
	/* outside of its 24 hours, which are over in a closed conversation */
	if (strcmp(request->channel, "whatsapp") == 0 && request->verb == VERB_CREATE)
		return "messagingTemplate is required for WhatsApp";
	if (count_characters(request->text) >
		(strcmp(request->channel, "sms") == 0 ? SMS_MAX : TEXT_MAX))
		return "textBody is too long";
	return NULL;
}

/* A session with the recipient, to follow "previous", which may be continued. */
static void
save_session(const Request *request, const Conversation *previous, char *id)
{
	Conversation session = {
		.status = "active", .channel = request->channel, .customer = request->to,
		.business = request->from, .outbound = true, .looks_left = -1,
		.hidden_looks = settings.hide_created,
	};

	if (previous != NULL && previous->continues)
	{
		strcpy(id, previous->id);
		session.continues = true;
	}
	else
		identifier_make(id);
	session.id = id;
	conversation_save(&session);
	see(request->to, id);
}

/* The customer came back between the check and the message. */
static void
come_back(const Request *request, const Conversation *previous)
{
	Conversation left = *previous;
	char		id[CONVERSATION_ID_SIZE];

	left.comes_back = false;
	conversation_save(&left);
	save_session(request, NULL, id);
}

static void
acknowledge(const Request *request, Answer *answer, const char *conversation_id)
{
	char		message_id[IDENTIFIER_SIZE];

	identifier_make(message_id);
	answer_start(answer, MHD_HTTP_ACCEPTED);
	sprintbuf(answer->body, "{\"id\":\"%s\",\"conversationId\":", message_id);
	append_json(answer->body, conversation_id);
	append_text(answer->body, ",\"messengerType\":");
	append_json(answer->body, request->channel);
	sprintbuf(answer->body, ",\"message\":{\"id\":\"%s\",\"status\":\"queued\",\"direction\":\"outbound\"}}",
			  message_id);
}

/* Into the active conversation; if there is none after all, a new one. */
static void
notify(const Request *request, Answer *answer, const Conversation *previous)
{
	char		id[CONVERSATION_ID_SIZE];

	if (previous != NULL && previous->races)
	{
		conversation_close(previous);
		previous = conversation_peek(request->conversation_id);
	}
	if (previous != NULL && conversation_is_live(previous))
		strcpy(id, previous->id);
	else
		save_session(request, previous, id);
	ledger_record_notification(request, id, request->to);
	acknowledge(request, answer, id);
}

static void
create(const Request *request, Answer *answer, const Conversation *previous)
{
	char		id[CONVERSATION_ID_SIZE];
	bool		back = previous != NULL && previous->comes_back;

	if (back)
		come_back(request, previous);
	if (back || (previous != NULL && conversation_is_live(previous)))
	{
		answer_error(answer, request, MHD_HTTP_BAD_REQUEST, "bad.request",
					 "An active conversation is already in progress");
		return;
	}
	save_session(request, previous, id);
	ledger_record_session(request, id);
	acknowledge(request, answer, id);
}

void
cloud_send(const Request *request, Answer *answer)
{
	const char *complaint = complaint_about(request);
	const char *id = request->verb == VERB_NOTIFY ? request->conversation_id : request->previous_id;
	const Conversation *previous = id != NULL && *id != '\0' ? conversation_peek(id) : NULL;

	if (complaint != NULL)
		answer_error(answer, request, MHD_HTTP_BAD_REQUEST, "invalid.value", complaint);
	else if (previous != NULL && previous->rejects)
		answer_usual_error(answer, request, MHD_HTTP_UNPROCESSABLE_CONTENT);
	else if (request->verb == VERB_NOTIFY)
		notify(request, answer, previous);
	else
		create(request, answer, previous);
}
