/*
 * request.c: from the bytes of a request to the words that the rules use.
 */
#include "request.h"

#include <string.h>
#include <time.h>

#include "utf8.h"

#define TOKEN_PATH "/oauth/token"
#define MESSAGING_PATH "/api/v2/conversations/messaging"
#define CLOUD_PATH "/api/v2/conversations/"
#define AGENTLESS_PATH CLOUD_PATH "messages/agentless"
#define CONTROL_PATH "/_sim/"

/* Large enough to load a hundred thousand conversations by the control API in one request. */
#define BODY_LIMIT (64 * 1024 * 1024)

/* A body buffer that has grown beyond this is not kept for the next request. */
#define BODY_KEPT (64 * 1024)

static const char *const verb_names[VERB_COUNT] = {
	[VERB_TOKEN] = "token",
	[VERB_CHECK] = "check",
	[VERB_NOTIFY] = "notify",
	[VERB_CREATE] = "create",
	[VERB_TAG] = "tag",
	[VERB_OTHER] = "other",
};

int64_t
wall_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const char *
verb_name(Verb verb)
{
	return verb_names[verb];
}

Verb
verb_by_name(const char *name)
{
	Verb		verb = 0;

	while (verb < VERB_COUNT && strcmp(verb_names[verb], name) != 0)
		verb++;
	return verb;
}

/* The path takes one method only; with any other one the request has no verb. */
static void
route(Request *request, Verb verb, const char *method)
{
	request->allowed_method = method;
	if (strcmp(request->method, method) == 0)
		request->verb = verb;
}

/* Such an id could not be answered in JSON, and no API would have given it. */
static bool
has_odd_bytes(const char *id)
{
	while (*id > ' ' && *id < 0x7f)
		id++;
	return *id != '\0';
}

static void
route_conversation(Request *request, const char *id)
{
	size_t		length = strcspn(id, "/");

	if (length == 0 || length >= CONVERSATION_ID_SIZE || has_odd_bytes(id))
		return;
	if (id[length] == '\0')
		route(request, VERB_CHECK, "GET");
	else if (!request->cloud && strcmp(id + length, "/notifications") == 0)
		route(request, VERB_NOTIFY, "POST");
	else if (request->cloud && strcmp(id + length, "/tags") == 0)
		route(request, VERB_TAG, "PUT");
	else
		return;
	memcpy(request->conversation_id, id, length);
	request->conversation_id[length] = '\0';
}

/* A message may yet turn out to be a notification: its body says so. */
static void
route_cloud(Request *request)
{
	const char *id = request->path + strlen(CLOUD_PATH);

	request->cloud = true;
	if (strcmp(request->path, AGENTLESS_PATH) == 0)
		route(request, VERB_CREATE, "POST");
	else
		route_conversation(request, id);
	request->cloud = request->allowed_method != NULL;
}

static void
route_path(Request *request)
{
	const size_t prefix = strlen(MESSAGING_PATH);
	const char *rest;

	request->verb = VERB_OTHER;
	request->allowed_method = NULL;
	request->conversation_id[0] = '\0';

	if (strcmp(request->path, TOKEN_PATH) == 0)
		route(request, VERB_TOKEN, "POST");
	request->cloud = false;
	if (strncmp(request->path, MESSAGING_PATH, prefix) != 0)
	{
		if (strncmp(request->path, CLOUD_PATH, strlen(CLOUD_PATH)) == 0)
			route_cloud(request);
		return;
	}
	rest = request->path + prefix;
	if (*rest == '\0')
		route(request, VERB_CREATE, "POST");
	else if (*rest == '/')
		route_conversation(request, rest + 1);
}

static const char *
header(Request *request, const char *name)
{
	return MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND, name);
}

/* The key is {nudge id}-{step}. */
static void
nudge_id_from_key(Request *request)
{
	const char *key = request->idempotency_key;
	const char *step = key ? strrchr(key, '-') : NULL;
	size_t		length = step ? (size_t) (step - key) : 0;

	if (length >= sizeof(request->nudge_id))
		length = 0;
	if (length > 0)
		memcpy(request->nudge_id, key, length);
	request->nudge_id[length] = '\0';
}

void
request_begin(Connection *connection, const char *method, const char *path)
{
	Request    *request = &connection->request;

	request->handle = connection->handle;
	request->connection = connection->number;
	request->reused = connection->requests++ > 0;
	request->arrived_us = wall_clock_us();
	request->method = method;
	request->path = path;
	route_path(request);
	identifier_make(request->correlation_id);
	request->authorization = header(request, MHD_HTTP_HEADER_AUTHORIZATION);
	request->content_type = header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
	request->idempotency_key = header(request, "Idempotency-Key");
	nudge_id_from_key(request);
	request->authorised = false;
	request->replayed = false;
	request->too_large = false;
	printbuf_reset(request->body);
	request->text = request->to = request->from = NULL;
	request->channel = request->previous_id = NULL;
}

void
request_append(Request *request, const char *bytes, size_t count)
{
	if (request->body->bpos + count > BODY_LIMIT)
		request->too_large = true;
	else
		printbuf_memappend(request->body, bytes, count);
}

const char *
string_at(struct json_object *object, const char *key, const char *inner)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		return NULL;
	if (inner != NULL)
		return string_at(value, inner, NULL);
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static struct json_tokener *
make_tokener(void)
{
	struct json_tokener *tokener = json_tokener_new();

	/* 0.18 is strict in the wrong way: it refuses what is not ASCII */
	if (strncmp(json_c_version(), "0.18", 4) != 0)
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	return tokener;
}

/* Only blanks from here on; a lenient parser stops where the value ends. */
static bool
is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (memchr(" \t\r\n", text[i], 4) == NULL)
			return false;
	return true;
}

/* NULL unless the whole body is one JSON value in valid UTF-8. */
static struct json_object *
parse(struct printbuf *body)
{
	static struct json_tokener *tokener = NULL;
	struct json_object *document;
	size_t		end;

	if (!utf8_is_valid(body->buf, body->bpos))
		return NULL;
	if (tokener == NULL)
		tokener = make_tokener();
	json_tokener_reset(tokener);
	document = json_tokener_parse_ex(tokener, body->buf, body->bpos);
	end = json_tokener_get_parse_end(tokener);
	if (is_blank(body->buf + end, body->bpos - end))
		return document;
	json_object_put(document);
	return NULL;
}

static void
read_cloud_body(Request *request)
{
	struct json_object *document = request->document;
	struct json_object *found;

	if (json_object_object_get_ex(document, "useExistingActiveConversation", &found) &&
		json_object_get_boolean(found))
		request->verb = VERB_NOTIFY;
	request->text = string_at(document, "textBody", NULL);
	if (request->verb == VERB_TAG)
		request->text = string_at(document, "externalTag", NULL);
	if (json_object_object_get_ex(document, "messagingTemplate", &found))
		request->text = json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN);
	request->to = string_at(document, "toAddress", NULL);
	if (request->to == NULL)
		request->to = string_at(document, "externalContactId", NULL);
	request->from = string_at(document, "fromAddress", NULL);
	request->channel = string_at(document, "toAddressMessengerType", NULL);
}

void
request_read_body(Request *request)
{
	struct json_object *document;
	const char *nudge_id;

	if (request->body->bpos == 0)
		return;
	if (request->verb != VERB_NOTIFY && request->verb != VERB_CREATE &&
		request->verb != VERB_TAG &&
		strncmp(request->path, CONTROL_PATH, strlen(CONTROL_PATH)) != 0)
		return;

	document = request->document = parse(request->body);
	if (!json_object_is_type(document, json_type_object))
		return;
	if (request->cloud)
	{
		read_cloud_body(request);
		return;
	}
	request->text = string_at(document, "text", NULL);
	request->to = string_at(document, "to", "address");
	request->from = string_at(document, "from", "address");
	request->channel = string_at(document, "channel", NULL);
	request->previous_id = string_at(document, "metadata", "previousConversationId");
	if (request->previous_id == NULL)
		request->previous_id = string_at(document, "previousConversationId", NULL);
	nudge_id = string_at(document, "metadata", "nudgeId");
	if (nudge_id != NULL && strlen(nudge_id) < sizeof(request->nudge_id))
		strcpy(request->nudge_id, nudge_id);
}

void
request_end(Request *request)
{
	json_object_put(request->document);
	request->document = NULL;
	if (request->body->size > BODY_KEPT)
	{
		printbuf_free(request->body);
		request->body = printbuf_new();
	}
}
