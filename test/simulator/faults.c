/*
 * faults.c: rules that make requests fail in chosen ways.
 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "conversations.h"
#include "memory.h"
#include "oauth.h"
#include "pauses.h"
#include "quoting.h"
#include "request.h"

#define GARBAGE "<html><body><h1>It works!</h1></body></html>\n"

typedef struct ActionKind
{
	const char *name;
	FaultAction action;
	bool		takes_effect;
} ActionKind;

static const ActionKind action_kinds[] =
{
	{"status", FAULT_STATUS, false},
	{"close_unread", FAULT_CLOSE_UNREAD, false},
	{"close_before", FAULT_CLOSE_BEFORE, false},
	{"close_after", FAULT_CLOSE_AFTER, true},
	{"status_after", FAULT_STATUS_AFTER, true},
	{"hang", FAULT_HANG, false},
	{"hang_after", FAULT_HANG_AFTER, true},
	{"drip", FAULT_DRIP, true},
	{"truncate", FAULT_TRUNCATE, true},
	{"huge", FAULT_HUGE, true},
	{"garbage", FAULT_GARBAGE, true},
	{"wrong_type", FAULT_WRONG_TYPE, true},
	{"empty", FAULT_EMPTY, true},
	{"redirect", FAULT_REDIRECT, false},
	{"expire_token", FAULT_EXPIRE_TOKEN, false},
	{"forbidden", FAULT_FORBIDDEN, false},
	{"delay", FAULT_DELAY, true},
	{"fail_message", FAULT_FAIL_MESSAGE, true},
	{"pad", FAULT_PAD, true},
};

/* Texts belong to the description. */
struct Fault
{
	struct Fault *next;
	struct json_object *description;
	const ActionKind *kind;
	Verb		verb;			/* VERB_COUNT: any */
	bool		fresh;			/* strikes fresh connections */
	bool		reused;			/* strikes reused connections */
	double		rate;
	int64_t		matches;
	int64_t		hits;

	/* the rest is filled in from the description by name */
	const char *name;
	const char *verb_name;
	const char *id_prefix;
	const char *address;		/* NULL: whoever it is for */
	const char *connection;
	const char *action;
	const char *retry_after;
	const char *header;			/* "Name: value" */
	const char *message_status;
	const char *message_reason;
	const char *body;
	const char *content_type;
	const char *location;
	int64_t		times;
	int64_t		after;
	int64_t		status;
	int64_t		bytes_per_second;
	int64_t		bytes;
	int64_t		delay_ms;
	int64_t		for_ms;
	int64_t		ends_at_us;		/* for_ms after the first hit; 0: not hit yet */
	char		header_name[64];
};

static const struct Parameter
{
	const char *name;
	json_type	type;
	size_t		offset;
}			parameters[] =
{
	{"name", json_type_string, offsetof(Fault, name)},
	{"verb", json_type_string, offsetof(Fault, verb_name)},
	{"id", json_type_string, offsetof(Fault, id_prefix)},
	{"address", json_type_string, offsetof(Fault, address)},
	{"connection", json_type_string, offsetof(Fault, connection)},
	{"action", json_type_string, offsetof(Fault, action)},
	{"retry_after", json_type_string, offsetof(Fault, retry_after)},
	{"header", json_type_string, offsetof(Fault, header)},
	{"message_status", json_type_string, offsetof(Fault, message_status)},
	{"message_reason", json_type_string, offsetof(Fault, message_reason)},
	{"body", json_type_string, offsetof(Fault, body)},
	{"content_type", json_type_string, offsetof(Fault, content_type)},
	{"location", json_type_string, offsetof(Fault, location)},
	{"rate", json_type_double, offsetof(Fault, rate)},
	{"times", json_type_int, offsetof(Fault, times)},
	{"after", json_type_int, offsetof(Fault, after)},
	{"status", json_type_int, offsetof(Fault, status)},
	{"bytes_per_second", json_type_int, offsetof(Fault, bytes_per_second)},
	{"bytes", json_type_int, offsetof(Fault, bytes)},
	{"ms", json_type_int, offsetof(Fault, delay_ms)},
	{"for_ms", json_type_int, offsetof(Fault, for_ms)},
};

static Fault *rules = NULL;
static Fault **rules_end = &rules;
static uint64_t dice = 0;

void
faults_seed(uint64_t seed)
{
	dice = seed;
}

/* A number in [0, 1), by splitmix64. */
static double
throw_dice(void)
{
	uint64_t	z = (dice += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return (double) (z >> 11) / (double) (1ULL << 53);
}

static const char *
set_parameter(Fault *rule, const char *key, struct json_object *value)
{
	const struct Parameter *parameter = parameters;
	const struct Parameter *end = parameters + sizeof(parameters) / sizeof(parameters[0]);
	char	   *field;

	while (parameter < end && strcmp(parameter->name, key) != 0)
		parameter++;
	if (parameter == end)
		return "a fault rule has an unknown parameter";

	field = (char *) rule + parameter->offset;
	if (parameter->type == json_type_double && json_object_is_type(value, json_type_int))
		*(double *) field = json_object_get_double(value);
	else if (!json_object_is_type(value, parameter->type))
		return "a parameter of a fault rule has the wrong type";
	else if (parameter->type == json_type_string)
		*(const char **) field = json_object_get_string(value);
	else if (parameter->type == json_type_int)
		*(int64_t *) field = json_object_get_int64(value);
	else
		*(double *) field = json_object_get_double(value);
	return NULL;
}

static const ActionKind *
find_action(const char *name)
{
	const size_t count = sizeof(action_kinds) / sizeof(action_kinds[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(action_kinds[i].name, name) == 0)
			return &action_kinds[i];
	return NULL;
}

/* An answer has room for one more header. */
static const char *
resolve_header(Fault *rule)
{
	size_t		length = rule->header != NULL ? strcspn(rule->header, ":") : 0;

	if (rule->header == NULL)
		return NULL;
	if (rule->retry_after != NULL || length == 0 || length >= sizeof(rule->header_name) ||
		strncmp(rule->header + length, ": ", 2) != 0)
		return "header must be \"Name: value\", without retry_after beside it";
	memcpy(rule->header_name, rule->header, length);
	return NULL;
}

/* Resolves the words of a rule; returns what is wrong with them, or NULL. */
static const char *
resolve(Fault *rule)
{
	rule->kind = find_action(rule->action);
	if (rule->kind == NULL)
		return "a fault rule needs a known action";
	rule->verb = verb_by_name(rule->verb_name);
	if (rule->verb == VERB_COUNT && strcmp(rule->verb_name, "*") != 0)
		return "verb must be token, check, notify, create, other or *";
	rule->fresh = strcmp(rule->connection, "reused") != 0;
	rule->reused = strcmp(rule->connection, "fresh") != 0;
	if (rule->fresh && rule->reused && strcmp(rule->connection, "any") != 0)
		return "connection must be fresh, reused or any";
	if (rule->status != 0 && (rule->status < 200 || rule->status > 599))
		return "status must be 200 to 599";
	if (rule->bytes_per_second <= 0 || rule->bytes <= 0 || rule->delay_ms < 0 || rule->for_ms < 0)
		return "bytes_per_second, bytes, ms and for_ms must be positive";
	if (rule->kind->action == FAULT_REDIRECT && rule->location == NULL)
		return "redirect needs a location";
	if (rule->name == NULL)
		rule->name = rule->action;
	return resolve_header(rule);
}

const char *
fault_add(struct json_object *description)
{
	Fault	   *rule = allocated(malloc(sizeof(Fault)));
	const char *problem = NULL;

	*rule = (Fault) {
		.verb_name = "*", .connection = "any", .action = "", .rate = 1, .times = INT64_MAX,
		.bytes_per_second = 20, .bytes = 10 * 1024 * 1024, .delay_ms = 1000,
		.message_status = "failed"
	};
	json_object_object_foreach(description, key, value)
		if (problem == NULL)
			problem = set_parameter(rule, key, value);
	if (problem == NULL)
		problem = resolve(rule);
	if (problem != NULL)
	{
		free(rule);
		return problem;
	}
	rule->description = json_object_get(description);
	*rules_end = rule;
	rules_end = &rule->next;
	return NULL;
}

void
faults_remove_all(void)
{
	while (rules != NULL)
	{
		Fault	   *next = rules->next;

		json_object_put(rules->description);
		free(rules);
		rules = next;
	}
	rules_end = &rules;
}

void
faults_write(struct printbuf *buffer)
{
	sprintbuf(buffer, "[");
	for (const Fault *rule = rules; rule != NULL; rule = rule->next)
		sprintbuf(buffer, "%s{\"rule\":%s,\"matches\":%lld,\"hits\":%lld}",
				  rule == rules ? "" : ",",
				  json_object_to_json_string_ext(rule->description, JSON_C_TO_STRING_PLAIN),
				  (long long) rule->matches, (long long) rule->hits);
	sprintbuf(buffer, "]\n");
}

/* The conversation that a request is about: for a new one it is the one before. */
static const char *
subject(const Request *request)
{
	if (request->verb == VERB_CREATE)
		return request->previous_id ? request->previous_id : "";
	return request->conversation_id;
}

/* A notification may leave it to its conversation whom it is for. */
static bool
is_for(const Request *request, const char *address)
{
	const char *recipient = request->to;

	if (recipient == NULL && request->verb == VERB_NOTIFY)
		recipient = conversation_peek(request->conversation_id)->customer;
	return recipient != NULL && strcmp(recipient, address) == 0;
}

static bool
is_over(const Fault *rule)
{
	return rule->ends_at_us > 0 && monotonic_us() >= rule->ends_at_us;
}

static bool
applies(const Fault *rule, const Request *request, bool complete)
{
	if (complete == (rule->kind->action == FAULT_CLOSE_UNREAD))
		return false;
	if (rule->verb != VERB_COUNT && rule->verb != request->verb)
		return false;
	if (!(request->reused ? rule->reused : rule->fresh))
		return false;
	if (rule->address != NULL && !is_for(request, rule->address))
		return false;
	return rule->id_prefix == NULL ||
		strncmp(subject(request), rule->id_prefix, strlen(rule->id_prefix)) == 0;
}

const Fault *
fault_match(const Request *request, bool complete)
{
	for (Fault *rule = rules; rule != NULL; rule = rule->next)
	{
		if (!applies(rule, request, complete))
			continue;
		if (rule->matches++ < rule->after || rule->hits >= rule->times || is_over(rule))
			continue;
		if (rule->rate < 1 && throw_dice() >= rule->rate)
			continue;
		if (rule->hits++ == 0 && rule->for_ms > 0)
			rule->ends_at_us = monotonic_us() + rule->for_ms * 1000;
		return rule;
	}
	return NULL;
}

const char *
fault_name(const Fault *fault)
{
	return fault->name;
}

bool
fault_takes_effect(const Fault *fault)
{
	return fault->kind->takes_effect;
}

static void
answer_status(const Fault *fault, const Request *request, Answer *answer)
{
	answer_usual_error(answer, request, fault->status ? fault->status : 500);
	if (fault->body != NULL)
		answer_set_body(answer, answer->content_type, fault->body);
	if (fault->content_type != NULL)
		answer_set_content_type(answer, fault->content_type);
	if (fault->retry_after != NULL)
		answer_set_header(answer, MHD_HTTP_HEADER_RETRY_AFTER, fault->retry_after);
	else if (fault->header != NULL)
		answer_set_header(answer, fault->header_name, fault->header + strlen(fault->header_name) + 2);
}

/* It was taken in, and what became of it is in the same answer. */
static void
fail_message(const Fault *fault, Answer *answer)
{
	struct json_object *body = json_tokener_parse(answer->body->buf);
	struct json_object *message = NULL;

	if (!json_object_is_type(body, json_type_object))
		body = json_object_new_object();
	if (!json_object_object_get_ex(body, "message", &message))
	{
		message = json_object_new_object();
		json_object_object_add(body, "message", message);
	}
	json_object_object_add(message, "status", json_object_new_string(fault->message_status));
	if (fault->message_reason != NULL)
	{
		struct json_object *reasons = json_object_new_array();
		struct json_object *reason = json_object_new_object();

		json_object_object_add(reason, "code", json_object_new_string(fault->message_reason));
		json_object_array_add(reasons, reason);
		json_object_object_add(message, "reasons", reasons);
	}
	answer_set_body(answer, answer->content_type, json_object_to_json_string(body));
	json_object_put(body);
}

#define PADDING "{\"messageId\":\"00000000-0000-0000-0000-000000000000\",\"messageTime\":\"2026-01-01T00:00:00.000Z\"},"

/* Before all that the answer says: an array of what no dialect reads. */
static void
pad(const Fault *fault, Answer *answer)
{
	char	   *rest = allocated(strdup(answer->body->buf));

	printbuf_reset(answer->body);
	append_text(answer->body, "{\"padding\":[");
	while (answer->body->bpos < fault->bytes)
		append_text(answer->body, PADDING);
	append_text(answer->body, "{}],");
	append_text(answer->body, rest + 1);
	free(rest);
}

/* A number for the id and an array for the status, and the rest as it was. */
static void
spoil_types(Answer *answer)
{
	struct json_object *body = json_tokener_parse(answer->body->buf);

	if (!json_object_is_type(body, json_type_object))
		body = json_object_new_object();
	json_object_object_add(body, "id", json_object_new_int(42));
	json_object_object_add(body, "status", json_object_new_array());
	answer_set_body(answer, answer->content_type, json_object_to_json_string(body));
	json_object_put(body);
}

static void
withhold(Answer *answer, Delivery delivery)
{
	answer->status = 0;
	answer->delivery = delivery;
}

static void
spread(Answer *answer, Delivery delivery, int64_t amount)
{
	answer->delivery = delivery;
	answer->amount = amount;
}

void
fault_apply(const Fault *fault, const Request *request, Answer *answer)
{
	switch (fault->kind->action)
	{
		case FAULT_STATUS:
		case FAULT_STATUS_AFTER:
			answer_status(fault, request, answer);
			break;
		case FAULT_CLOSE_UNREAD:
		case FAULT_CLOSE_BEFORE:
		case FAULT_CLOSE_AFTER:
			withhold(answer, DELIVER_CLOSE);
			break;
		case FAULT_HANG:
		case FAULT_HANG_AFTER:
			withhold(answer, DELIVER_NEVER);
			break;
		case FAULT_DRIP:
			spread(answer, DELIVER_DRIPPING, fault->bytes_per_second);
			break;
		case FAULT_TRUNCATE:
			spread(answer, DELIVER_TRUNCATED, 0);
			break;
		case FAULT_HUGE:
			spread(answer, DELIVER_HUGE, fault->bytes);
			break;
		case FAULT_GARBAGE:
			answer_set_body(answer, "text/html", GARBAGE);
			break;
		case FAULT_WRONG_TYPE:
			spoil_types(answer);
			break;
		case FAULT_EMPTY:
			answer_set_body(answer, answer->content_type, "");
			break;
		case FAULT_REDIRECT:
			answer_usual_error(answer, request, fault->status ? fault->status : 302);
			answer_set_header(answer, MHD_HTTP_HEADER_LOCATION, fault->location);
			break;
		case FAULT_EXPIRE_TOKEN:
			oauth_forget(request);
			answer_usual_error(answer, request, MHD_HTTP_UNAUTHORIZED);
			break;
		case FAULT_FORBIDDEN:
			answer_usual_error(answer, request, MHD_HTTP_FORBIDDEN);
			break;
		case FAULT_DELAY:
			answer->delay_ms += fault->delay_ms;
			break;
		case FAULT_FAIL_MESSAGE:
			fail_message(fault, answer);
			break;
		case FAULT_PAD:
			pad(fault, answer);
			break;
	}
}
