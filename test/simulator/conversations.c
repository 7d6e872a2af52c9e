/*
 * conversations.c: the conversations that the simulated API knows.
 *
 * Most are never stored: what an unknown id answers follows from its prefix, so
 * that a test needs no set-up and a million ids cost no memory. A conversation
 * is stored once it is created, set by control, or changes.
 */
#include "conversations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/linkhash.h>

#include "identifiers.h"
#include "memory.h"
#include "quoting.h"
#include "request.h"
#include "settings.h"

/* Room for the sessions of a benchmark before the table has to grow for the first time. */
#define TABLE_SIZE (64 * 1024)

/* Of a time in ISO 8601 to the millisecond. */
#define TIME_SIZE 32

static const struct Rule
{
	const char *prefix;
	Conversation conversation;
}			rules[] =
{
	{"live-", {.status = "active"}},
	{"ringing-", {.status = "ringing"}},
	{"closed-", {.status = "closed"}},
	{"gone-", {.gone = true}},
	{"race-", {.status = "active", .races = true}},
	{"zombie-", {.status = "terminated"}},
	{"noaddr-", {.status = "closed", .customer = ""}},
	{"webchat-", {.status = "closed", .channel = "webchat"}},
	{"outbound-", {.status = "closed", .outbound = true}},
	{"nostatus-", {.status = NULL}},
	{"wrongtype-", {.status = "closed", .numeric_status = true}},
	{"continues-", {.status = "closed", .continues = true}},
	{"overtaken-", {.status = "closed", .comes_back = true}},
	{"returns-", {.status = "closed", .returns = true}},
	{"reject-live-", {.status = "active", .rejects = true}},
	{"reject-", {.status = "closed", .rejects = true}},
};

/* id -> Conversation; each is one block that holds its strings as well */
static struct lh_table *stored = NULL;

static void
free_entry(struct lh_entry *entry)
{
	free((void *) lh_entry_v(entry));
}

/* Copies the text to *end and moves *end behind it. */
static const char *
put_string(char **end, const char *text)
{
	char	   *start = *end;

	if (text == NULL)
		return NULL;
	*end = stpcpy(start, text) + 1;
	return start;
}

static size_t
space_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static Conversation *
copy_as_block(const Conversation *original)
{
	size_t		size = sizeof(Conversation) + space_of(original->id) +
		space_of(original->status) + space_of(original->channel) +
		space_of(original->customer) + space_of(original->business) +
		space_of(original->metadata) + space_of(original->returns_to) +
		space_of(original->then) + space_of(original->wrote_at) +
		space_of(original->media) + space_of(original->participants);
	Conversation *copy = allocated(malloc(size));
	char	   *end = (char *) (copy + 1);

	*copy = *original;
	copy->id = put_string(&end, original->id);
	copy->status = put_string(&end, original->status);
	copy->channel = put_string(&end, original->channel);
	copy->customer = put_string(&end, original->customer);
	copy->business = put_string(&end, original->business);
	copy->metadata = put_string(&end, original->metadata);
	copy->returns_to = put_string(&end, original->returns_to);
	copy->then = put_string(&end, original->then);
	copy->wrote_at = put_string(&end, original->wrote_at);
	copy->media = put_string(&end, original->media);
	copy->participants = put_string(&end, original->participants);
	return copy;
}

void
conversation_save(const Conversation *conversation)
{
	/* The copy comes first: the original may be the very entry that it replaces. */
	Conversation *copy = copy_as_block(conversation);
	struct lh_entry *old = lh_table_lookup_entry(stored, copy->id);

	if (old != NULL)
		lh_table_delete_entry(stored, old);
	lh_table_insert(stored, copy->id, copy);
}

/* The customer of a conversation that nobody described. */
static const char *
usual_customer(const char *id)
{
	static char address[24];

	snprintf(address, sizeof(address), "+1317555%08u", (unsigned) (identifier_hash(id) % (uint64_t) settings.customers));
	return address;
}

static void
apply_default_status(Conversation *conversation)
{
	if (strcmp(settings.default_status, "none") == 0)
		conversation->gone = true;
	else if (strcmp(settings.default_status, "hash") == 0)
		conversation->status = identifier_hash(conversation->id) % 2 ? "active" : "closed";
	else
		conversation->status = settings.default_status;
}

static Conversation *
make_up(const char *id)
{
	static Conversation conversation;
	const struct Rule *rule = rules;
	const struct Rule *end = rules + sizeof(rules) / sizeof(rules[0]);

	while (rule < end && strncmp(id, rule->prefix, strlen(rule->prefix)) != 0)
		rule++;
	conversation = rule < end ? rule->conversation : (Conversation){0};
	conversation.id = id;
	if (rule == end)
		apply_default_status(&conversation);
	conversation.looks_left = UNLIMITED;
	conversation.business = BUSINESS_ADDRESS;
	if (conversation.channel == NULL)
		conversation.channel = "sms";
	if (conversation.customer == NULL)
		conversation.customer = usual_customer(id);
	else if (*conversation.customer == '\0')
		conversation.customer = NULL;
	return &conversation;
}

static Conversation *
find(const char *id)
{
	struct lh_entry *entry = lh_table_lookup_entry(stored, id);

	return entry ? (Conversation *) lh_entry_v(entry) : make_up(id);
}

const Conversation *
conversation_peek(const char *id)
{
	return find(id);
}

const Conversation *
conversation_look(const char *id)
{
	static const Conversation hidden = {.gone = true};
	Conversation *conversation = find(id);

	if (conversation->hidden_looks > 0)
	{
		conversation->hidden_looks--;
		return &hidden;
	}
	if (conversation->then == NULL)
		return conversation;
	if (conversation->looks_left > 0)
		conversation->looks_left--;
	else
	{
		conversation->status = conversation->then;
		conversation->then = NULL;
	}
	return conversation;
}

bool
conversation_is_live(const Conversation *conversation)
{
	return conversation->status != NULL &&
		(strcmp(conversation->status, "active") == 0 ||
		 strcmp(conversation->status, "ringing") == 0);
}

static void
write_party(struct printbuf *buffer, const char *role, const char *address)
{
	if (address == NULL)
		return;
	sprintbuf(buffer, ",\"%s\":{\"address\":", role);
	append_json(buffer, address);
	append_text(buffer, "}");
}

void
conversation_write(struct printbuf *buffer, const Conversation *conversation)
{
	append_text(buffer, "{\"id\":");
	append_json(buffer, conversation->id);
	if (conversation->numeric_status)
		append_text(buffer, ",\"status\":4");
	else if (conversation->status != NULL)
	{
		append_text(buffer, ",\"status\":");
		append_json(buffer, conversation->status);
	}
	append_text(buffer, ",\"channel\":");
	append_json(buffer, conversation->channel);
	sprintbuf(buffer, ",\"direction\":\"%s\"", conversation->outbound ? "outbound" : "inbound");
	write_party(buffer, conversation->outbound ? "to" : "from", conversation->customer);
	write_party(buffer, conversation->outbound ? "from" : "to", conversation->business);
	if (conversation->wrote_at != NULL)
	{
		append_text(buffer, ",\"lastInboundAt\":");
		append_json(buffer, conversation->wrote_at);
	}
	if (conversation->metadata != NULL)
	{
		append_text(buffer, ",\"metadata\":");
		append_text(buffer, conversation->metadata);
	}
	append_text(buffer, "}");
}

/* A description changes what would be answered without it: only the id is needed. */
static Conversation
start_description(const char *id)
{
	Conversation conversation = *make_up(id);

	conversation.gone = conversation.races = conversation.rejects = false;
	conversation.continues = conversation.returns = conversation.comes_back = conversation.numeric_status = false;
	return conversation;
}

static void
describe_status(Conversation *conversation, const char *status)
{
	conversation->gone = strcmp(status, "gone") == 0;
	conversation->status = status;
}

/* Which keys a description may have; anything else is a slip of the pen. */
static bool
is_known_key(const char *key)
{
	static const char *const known[] = {
		"id", "status", "channel", "direction", "address", "business", "then", "after_looks",
		"hidden_looks", "wrote_at", "media", "participants"
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(key, known[i]) == 0)
			return true;
	return false;
}

void
conversation_close(const Conversation *conversation)
{
	Conversation closed = *conversation;

	closed.status = "closed";
	closed.races = false;
	conversation_save(&closed);
}

static void
describe_looks(Conversation *conversation, struct json_object *description)
{
	struct json_object *looks;

	if (json_object_object_get_ex(description, "after_looks", &looks))
		conversation->looks_left = json_object_get_int64(looks);
	if (json_object_object_get_ex(description, "hidden_looks", &looks))
		conversation->hidden_looks = json_object_get_int64(looks);
}

static void
describe_media(Conversation *conversation, struct json_object *description)
{
	struct json_object *participants;

	conversation->wrote_at = string_at(description, "wrote_at", NULL);
	conversation->media = string_at(description, "media", NULL);
	if (json_object_object_get_ex(description, "participants", &participants) &&
		json_object_is_type(participants, json_type_array))
		conversation->participants = json_object_to_json_string_ext(participants, JSON_C_TO_STRING_PLAIN);
}

const char *
conversation_save_json(struct json_object *description)
{
	const char *id = string_at(description, "id", NULL);
	const char *word;
	Conversation conversation;

	if (id == NULL || *id == '\0')
		return "a conversation needs an id";
	json_object_object_foreach(description, key, value)
		if (!is_known_key(key) || value == NULL)
			return "a conversation has an unknown key, or a null";

	conversation = start_description(id);
	if ((word = string_at(description, "status", NULL)) != NULL)
		describe_status(&conversation, word);
	if ((word = string_at(description, "channel", NULL)) != NULL)
		conversation.channel = word;
	if ((word = string_at(description, "direction", NULL)) != NULL)
		conversation.outbound = strcmp(word, "outbound") == 0;
	if ((word = string_at(description, "address", NULL)) != NULL)
		conversation.customer = word;
	if ((word = string_at(description, "business", NULL)) != NULL)
		conversation.business = word;
	conversation.then = string_at(description, "then", NULL);
	describe_looks(&conversation, description);
	describe_media(&conversation, description);
	conversation_save(&conversation);
	return NULL;
}

/* In the form of Genesys Cloud: 2026-11-20T10:00:00.000Z. */
static void
write_now(char text[TIME_SIZE])
{
	int64_t		now_us = wall_clock_us();
	time_t		seconds = (time_t) (now_us / 1000000);
	struct tm	parts;
	size_t		length;

	gmtime_r(&seconds, &parts);
	length = strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, TIME_SIZE - length, ".%03dZ", (int) (now_us / 1000 % 1000));
}

const char *
conversation_write_json(struct json_object *description)
{
	const char *id = string_at(description, "id", NULL);
	char		now[TIME_SIZE];
	Conversation conversation;

	if (id == NULL || *id == '\0')
		return "a conversation needs an id";
	json_object_object_foreach(description, key, value)
		if ((strcmp(key, "id") != 0 && strcmp(key, "at") != 0) || value == NULL)
			return "write takes an id and at, a time";
	write_now(now);
	conversation = *find(id);
	conversation.wrote_at = string_at(description, "at", NULL);
	if (conversation.wrote_at == NULL)
		conversation.wrote_at = now;
	conversation_save(&conversation);
	return NULL;
}

/* One line of the conversations file; false if it is not four values. */
static bool
save_line(char *line)
{
	Conversation conversation;
	char	   *id = strsep(&line, ",");
	char	   *status = strsep(&line, ",");
	char	   *channel = strsep(&line, ",");
	char	   *address = strsep(&line, ",");

	if (address == NULL || line != NULL || *id == '\0')
		return false;
	conversation = start_description(id);
	if (*status != '\0')
		describe_status(&conversation, status);
	if (*channel != '\0')
		conversation.channel = channel;
	if (*address != '\0')
		conversation.customer = address;
	conversation_save(&conversation);
	return true;
}

static bool
load_file(FILE *file, const char *name)
{
	char	   *line = NULL;
	size_t		capacity = 0;
	unsigned	number = 0;
	bool		good = true;

	while (good && getline(&line, &capacity, file) != -1)
	{
		line[strcspn(line, "\r\n")] = '\0';
		number++;
		if (*line == '\0' || (number == 1 && strncmp(line, "id,", 3) == 0))
			continue;
		good = save_line(line);
		if (!good)
			fprintf(stderr, "%s:%u: expected id,status,channel,address\n", name, number);
	}
	free(line);
	return good;
}

bool
conversations_load(void)
{
	FILE	   *file;
	bool		good;

	if (stored != NULL)
		lh_table_free(stored);
	stored = lh_kchar_table_new(TABLE_SIZE, free_entry);
	if (settings.conversations_file == NULL)
		return true;

	file = fopen(settings.conversations_file, "r");
	if (file == NULL)
	{
		perror(settings.conversations_file);
		return false;
	}
	good = load_file(file, settings.conversations_file);
	fclose(file);
	return good;
}
