/*
 * dialect_genesys_cloud_check.c: what a conversation of Genesys Cloud tells.
 *
 * It has participants, and each of them a list for every kind of media that
 * they take part in.  We write messages; but a customer who is on the telephone
 * must not be asked whether they are still there, so all lists are looked at.
 */
#define _GNU_SOURCE
#include "dialect_genesys_cloud.h"

#include <string.h>

#include "iso_time.h"

const char *const genesys_cloud_wanted[] = {
	"id", "conversationId", "endTime", "participants", "purpose", "externalContactId", "state", "direction",
	"type", "fromAddress", "toAddress", "addressNormalized",
	"messages", "message", "status", "messageTime", "messageStatus", "messageMetadata",
	"calls", "callbacks", "chats", "cobrowsesessions", "emails", "internalMessages", "screenshares",
	"screenMonitorings", "socialExpressions", "videos", "workitems", NULL
};

/* What the lists say, all participants taken together. */
typedef struct Media
{
	bool		has_messages;
	bool		has_email;
	bool		has_others;
	bool		live_by_email;
	bool		live_by_others;
	char		status[WORD_SIZE];	/* of what is no message: a live one's, else the first */
} Media;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- states ------------------------------------------------------------------ */

/* "scheduled" is a callback's: the customer waits for it. */
static bool
is_live(const char *state)
{
	static const char *const live_states[] = {
		"alerting", "dialing", "contacting", "offering", "connected", "converting",
		"uploading", "transmitting", "parked", "scheduled",
	};

	for (size_t i = 0; i < COUNT(live_states); i++)
		if (strcmp(live_states[i], state) == 0)
			return true;
	return false;
}

/* One live state makes the conversation live; else the first one is its status. */
static void
read_message_state(const JsonObject *communication, Media *media, Reading *reading)
{
	char		state[WORD_SIZE];

	if (!text_copy_word(state, WORD_SIZE, json_member_text(communication, "state")))
		return;
	media->has_messages = true;
	if (reading->live)
		return;
	reading->live = is_live(state);
	if (reading->live || reading->status[0] == '\0')
		strcpy(reading->status, state);
}

static bool
read_other_state(const JsonObject *communication, Media *media)
{
	bool		was_live = media->live_by_email || media->live_by_others;
	char		state[WORD_SIZE];
	bool		live;

	if (!text_copy_word(state, WORD_SIZE, json_member_text(communication, "state")))
		return false;
	live = is_live(state);
	if ((live && !was_live) || media->status[0] == '\0')
		strcpy(media->status, state);
	return live;
}

static void
read_other_media(const JsonObject *participant, Media *media)
{
	static const char *const others[] = {
		"calls", "callbacks", "chats", "cobrowsesessions", "internalMessages", "screenshares",
		"screenMonitorings", "socialExpressions", "videos", "workitems",
	};
	size_t		count = json_member_count(participant, "emails");

	media->has_email |= count > 0;
	for (size_t i = 0; i < count; i++)
		media->live_by_email |= read_other_state(json_member_at(participant, "emails", i), media);
	for (size_t name = 0; name < COUNT(others); name++)
	{
		count = json_member_count(participant, others[name]);
		media->has_others |= count > 0;
		for (size_t i = 0; i < count; i++)
			media->live_by_others |= read_other_state(json_member_at(participant, others[name], i), media);
	}
}

/* A participant's part in it; of messages it is flat where the API knows only those. */
static void
read_states(const JsonObject *participant, Media *media, Reading *reading)
{
	size_t		count = json_member_count(participant, "messages");

	read_message_state(participant, media, reading);
	for (size_t i = 0; i < count; i++)
		read_message_state(json_member_at(participant, "messages", i), media, reading);
	read_other_media(participant, media);
	/* no state is left of who has left */
	if (reading->status[0] == '\0' && media->status[0] == '\0' &&
		json_member_text(participant, "endTime") != NULL)
		strcpy(reading->status, "disconnected");
}

/* --- when the customer wrote ---------------------------------------------------- */

static bool
is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; word != NULL && i < count; i++)
		if (strcasecmp(words[i], word) == 0)
			return true;
	return false;
}

/*
 * Messages have no author.  Those of the customer's participant are the
 * customer's, unless their status is one of delivery; in a conversation that we
 * began, unless they were received.
 */
static bool
is_inbound(const JsonObject *message, bool outbound)
{
	static const char *const ours[] = {
		"queued", "failed", "delivery-success", "delivery-failed", "read", "published",
	};
	static const char *const events[] = {"event", "receipt"};
	const char *status = json_member_text(message, "messageStatus");
	const char *direction = json_member_text(message, "direction");
	const char *type = json_member_text(json_member_object(message, "messageMetadata"), "type");

	if (is_one_of(type, events, COUNT(events)))
		return false;
	if (direction != NULL)
		return strcasecmp(direction, "inbound") == 0;
	if (outbound)
		return status != NULL && strcasecmp(status, "received") == 0;
	return !is_one_of(status, ours, COUNT(ours));
}

static bool
is_outbound(const JsonObject *communication)
{
	const char *direction = json_member_text(communication, "direction");

	return direction != NULL && strcasecmp(direction, "outbound") == 0;
}

static void
read_message_times(const JsonObject *communication, Reading *reading)
{
	size_t		count = json_member_count(communication, "messages");
	bool		outbound = is_outbound(communication);

	for (size_t i = 0; i < count; i++)
	{
		const JsonObject *message = json_member_at(communication, "messages", i);
		const char *text = json_member_text(message, "messageTime");
		int64_t		time;

		if (text != NULL && is_inbound(message, outbound) && iso_time_read(text, &time) &&
			time > reading->last_inbound_at)
			reading->last_inbound_at = time;
	}
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
read_addresses(const JsonObject *communication, Reading *reading)
{
	const char *from = json_member_text(json_member_object(communication, "fromAddress"),
										"addressNormalized");
	const char *to = json_member_text(json_member_object(communication, "toAddress"),
									  "addressNormalized");
	bool		outbound = is_outbound(communication);

	if (from == NULL && to == NULL)
		return;
	text_copy_line(reading->customer_address, ADDRESS_SIZE, outbound ? to : from);
	text_copy_line(reading->business_address, ADDRESS_SIZE, outbound ? from : to);
}

static void
read_communication(const JsonObject *communication, Reading *reading)
{
	read_type(communication, reading);
	read_addresses(communication, reading);
	read_message_times(communication, reading);
}

/*
 * A guest of the web messenger has no address that could be written to, and
 * writes to none: the external contact is addressed, from the deployment that
 * the server's options name.
 */
static void
read_contact(const JsonObject *participant, Reading *reading)
{
	if (strcmp(reading->channel, "webmessaging") != 0)
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
	size_t		emails = json_member_count(participant, "emails");

	for (size_t i = 0; count == 0 && i < emails; i++)
		read_addresses(json_member_at(participant, "emails", i), reading);
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

/* --- all of it ------------------------------------------------------------------- */

/*
 * What is live on other media only is no time to write.  A live e-mail is, for
 * days; but one that never was anything else is nothing that we could write to.
 */
static void
judge_media(const Media *media, Reading *reading)
{
	if (reading->status[0] == '\0')
		strcpy(reading->status, media->status);
	if (media->has_email && !media->has_messages && !media->has_others)
		strcpy(reading->channel, "email");
	if (reading->live || (!media->live_by_email && !media->live_by_others))
		return;
	strcpy(reading->status, media->status);
	if (media->has_messages || media->live_by_others)
		reading->busy = true;
	else
	{
		strcpy(reading->channel, "email");
		reading_set(reading, REPLY_REJECTED, "channel_not_supported");
	}
}

static void
read_participants(const JsonObject *body, Media *media, Reading *reading)
{
	size_t		count = json_member_count(body, "participants");

	for (size_t i = 0; i < count; i++)
	{
		const JsonObject *participant = json_member_at(body, "participants", i);

		read_states(participant, media, reading);
		if (is_customer(participant))
			read_customer(participant, reading);
	}
}

void
genesys_cloud_read_check(const JsonObject *body, Reading *reading)
{
	Media		media = {0};

	read_participants(body, &media, reading);
	/* it ended for all of them, whatever their states say */
	if (json_member_text(body, "endTime") != NULL)
	{
		reading->live = media.live_by_email = media.live_by_others = false;
		strcpy(reading->status, "ended");
	}
	judge_media(&media, reading);
	if (reading->status[0] == '\0')
		reading_set(reading, REPLY_NOT_APPLIED, "unreadable");
	else
		reading_set_conversation_id(reading, json_member_text(body, "id"));
}
