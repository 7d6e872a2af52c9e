/*
 * settings.c: one server as the worker last described it.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "ca_file.h"
#include "memory.h"

/* The worker checks its options; these bounds keep its mistakes harmless. */
#define TIMEOUT_MAX_MS (60 * 60 * 1000)
#define IN_FLIGHT_MAX 10000
#define REPLY_MAX_BYTES (64 * 1024 * 1024)

/* To libcurl a timeout of 0 means none, which is never wanted. */
static int
clamp_number(int64_t value, int maximum)
{
	if (value < 1)
		return 1;
	return value < maximum ? (int) value : maximum;
}

static char *
basic_credentials(const char *client_id, const char *client_secret)
{
	char	   *pair;
	char	   *encoded;

	if (client_id == NULL || client_secret == NULL)
		return NULL;
	pair = join_texts(client_id, ":", client_secret, NULL);
	encoded = base64_encode(pair);
	forget_text(pair);
	return encoded;
}

static void
copy_texts(ServerMessage *server)
{
#define SERVER_TEXT(field) server->field = copy_text(server->field);
#define SERVER_TEXT_OR_NULL(field) SERVER_TEXT(field)
#define SERVER_NUMBER(field)
#include "server_fields.h"
#undef SERVER_TEXT
#undef SERVER_NUMBER
}

/* Some are secrets. */
static void
forget_texts(ServerMessage *server)
{
#define SERVER_TEXT(field) forget_text((char *) server->field);
#define SERVER_NUMBER(field)
#include "server_fields.h"
#undef SERVER_TEXT
#undef SERVER_TEXT_OR_NULL
#undef SERVER_NUMBER
}

static void
keep_within_bounds(ServerMessage *server)
{
	server->max_reply_bytes = clamp_number(server->max_reply_bytes, REPLY_MAX_BYTES);
	server->timeout_ms = clamp_number(server->timeout_ms, TIMEOUT_MAX_MS);
	server->connect_timeout_ms = clamp_number(server->connect_timeout_ms, TIMEOUT_MAX_MS);
	server->max_in_flight = clamp_number(server->max_in_flight, IN_FLIGHT_MAX);
	if (server->max_requests_per_minute <= 0)
		server->max_requests_per_minute = 0;
	else
		server->max_requests_per_minute = clamp_number(server->max_requests_per_minute, REQUESTS_PER_MINUTE_MAX);
}

Settings *
settings_new(const ServerMessage *message)
{
	static int64_t routes = 0;
	Settings   *settings = allocate(sizeof(Settings));
	ServerMessage *server = &settings->server;
	HttpRoute  *route = &settings->route;

	settings->references = 1;
	*server = *message;
	copy_texts(server);
	keep_within_bounds(server);
	settings->dialect = dialect_find(server->dialect);
	settings->basic = basic_credentials(server->client_id, server->client_secret);
	route->server = server;
	route->number = ++routes;
	if (server->ca_file != NULL)
		route->authorities = ca_file_read(server->ca_file, &route->authorities_length,
										  settings->complaint, sizeof(settings->complaint));
	return settings;
}

Settings *
settings_hold(Settings *settings)
{
	settings->references++;
	return settings;
}

void
settings_release(Settings *settings)
{
	if (settings == NULL || --settings->references > 0)
		return;
	forget_texts(&settings->server);
	forget_text(settings->basic);
	free(settings->route.authorities);
	free(settings);
}

const char *
settings_find_fault(const Settings *settings)
{
	if (settings->dialect == NULL)
		return "unknown_dialect";
	if (settings->server.login_url != NULL && settings->basic == NULL)
		return "no_credentials";
	if (settings->complaint[0] != '\0')
		return FAILURE_CERTIFICATE;
	return NULL;
}

static bool
is_same(const char *one, const char *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return strcmp(one, other) == 0;
}

bool
settings_share_login(const Settings *one, const Settings *other)
{
	return is_same(one->server.login_url, other->server.login_url) &&
		is_same(one->server.client_id, other->server.client_id) &&
		is_same(one->server.client_secret, other->server.client_secret);
}

Secrets
settings_secrets(const Settings *settings, const char *token)
{
	return (Secrets) {.words = {settings->server.client_secret, settings->basic, token}};
}
