/*
 * answers.c: the contract of the dialect "messaging", for those who keep to it, and
 * the control of the API.  Nothing is remembered but counts.
 */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/api/v2/conversations/messaging"
#define BUSINESS "+13175559999"
#define ID_MAX 256

typedef struct Reply
{
	char	   *text;				/* ANSWER_MAX bytes */
	size_t		length;
} Reply;

Counts		counts;
int64_t		latency_us;
long		connections;

/* As the simulator's: FNV-1a, with a final mix because callers look at the low digits. */
static uint64_t
hash_of(const char *text)
{
	uint64_t	hash = 0xcbf29ce484222325ULL;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char) *text) * 0x100000001b3ULL;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 33);
}

static const char *
fresh_id(void)
{
	static unsigned long long number;
	static char id[40];

	snprintf(id, sizeof(id), "5c1fa2d0-0000-4000-8000-%012llx", ++number & 0xffffffffffffULL);
	return id;
}

static void
answer(Reply *reply, const char *status, const char *body)
{
	reply->length = (size_t) snprintf(
		reply->text, ANSWER_MAX,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"ININ-Correlation-Id: %s\r\n\r\n%s", status, strlen(body), fresh_id(), body);
}

static void
refuse(Reply *reply, const char *status, const char *code)
{
	char		body[200];

	counts.refused++;
	snprintf(body, sizeof(body), "{\"code\":\"%s\",\"message\":\"The request was refused.\"}", code);
	answer(reply, status, body);
}

static void
check(Reply *reply, const char *id)
{
	uint64_t	hash = hash_of(id);
	char		body[ANSWER_MAX / 2];

	counts.checks++;
	snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"%s\",\"channel\":\"sms\",\"direction\":\"inbound\","
			 "\"from\":{\"address\":\"+1317555%08u\"},\"to\":{\"address\":\"" BUSINESS "\"}}",
			 id, hash % 2 ? "active" : "closed", (unsigned) (hash % 100000000));
	answer(reply, "200 OK", body);
}

static void
notify(Reply *reply, const char *id)
{
	char		body[ANSWER_MAX / 2];

	if (hash_of(id) % 2 == 0)
	{
		refuse(reply, "400 Bad Request", "conversation.closed");
		return;
	}
	counts.notified++;
	snprintf(body, sizeof(body), "{\"id\":\"%s\",\"conversationId\":\"%s\"}", fresh_id(), id);
	answer(reply, "200 OK", body);
}

/* Copies the first address of the body: that of "to", which those who keep to the contract send first. */
static bool
read_address(const char *body, char address[ID_MAX])
{
	const char *start = strstr(body, "\"address\"");
	size_t		length;

	if (start == NULL)
		return false;
	start += strlen("\"address\"");
	start += strspn(start, ": \t");
	if (*start++ != '"')
		return false;
	length = strcspn(start, "\"");
	if (length == 0 || length >= ID_MAX)
		return false;
	memcpy(address, start, length);
	address[length] = '\0';
	return true;
}

static void
create(Reply *reply, const char *posted)
{
	char		address[ID_MAX];
	char		id[40];
	char		body[ANSWER_MAX / 2];

	if (!read_address(posted, address) || strstr(posted, "\"text\"") == NULL)
	{
		refuse(reply, "400 Bad Request", "missing.to");
		return;
	}
	counts.created++;
	strcpy(id, fresh_id());
	snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"active\",\"channel\":\"sms\",\"direction\":\"outbound\","
			 "\"to\":{\"address\":\"%s\"},\"from\":{\"address\":\"" BUSINESS "\"},\"messageId\":\"%s\"}",
			 id, address, fresh_id());
	answer(reply, "201 Created", body);
}

/* Answers a request about the conversations; false where it is about something else. */
static bool
answer_api(Reply *reply, bool posts, char *path, const char *body)
{
	char	   *id;
	char	   *rest;

	if (strncmp(path, PATH, strlen(PATH)) != 0)
		return false;
	if (posts && path[strlen(PATH)] == '\0')
	{
		create(reply, body);
		return true;
	}
	if (path[strlen(PATH)] != '/')
		return false;
	id = path + strlen(PATH) + 1;
	rest = strchr(id, '/');
	if (rest != NULL)
		*rest++ = '\0';
	if (strlen(id) >= ID_MAX)
		return false;
	if (!posts && rest == NULL)
		check(reply, id);
	else if (posts && rest != NULL && strcmp(rest, "notifications") == 0)
		notify(reply, id);
	else
		return false;
	return true;
}

static void
tell_counts(Reply *reply)
{
	char		body[ANSWER_MAX / 2];

	snprintf(body, sizeof(body), "{\"checks\":%ld,\"notified\":%ld,\"created\":%ld,\"refused\":%ld,"
			 "\"most_at_once\":%ld,\"connections\":%ld,\"first_us\":%lld,\"last_us\":%lld}",
			 counts.checks, counts.notified, counts.created, counts.refused, counts.most_at_once,
			 connections, (long long) counts.first_us, (long long) counts.last_us);
	answer(reply, "200 OK", body);
}

static bool
answer_control(Reply *reply, const char *path)
{
	const char *reset = "/_bench/reset/";

	if (strcmp(path, "/_bench/counts") == 0)
		tell_counts(reply);
	else if (strncmp(path, reset, strlen(reset)) == 0)
	{
		memset(&counts, 0, sizeof(counts));
		latency_us = atol(path + strlen(reset)) * 1000;
		answer(reply, "200 OK", "{}");
	}
	else
		return false;
	return true;
}

/* What it is: an answer of the API takes its time. */
static bool
decide(Reply *reply, char *request, const char *body)
{
	bool		posts = strncmp(request, "POST ", 5) == 0;
	char	   *path = strchr(request, ' ');
	char	   *end = path ? strchr(path + 1, ' ') : NULL;

	if (end == NULL)
	{
		refuse(reply, "400 Bad Request", "unreadable");
		return true;
	}
	*end = '\0';
	if (answer_control(reply, path + 1))
		return false;
	if (!answer_api(reply, posts, path + 1, body))
		refuse(reply, "404 Not Found", "not.found");
	return true;
}

size_t
answer_request(char *request, const char *body, char answer[ANSWER_MAX], bool *takes_time)
{
	Reply		reply = {.text = answer};

	*takes_time = decide(&reply, request, body);
	return reply.length;
}
