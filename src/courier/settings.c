/*
 * settings.c: one server as the worker last described it.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "ca_file.h"
#include "memory.h"

/* The worker checks its options; these bounds keep its mistakes harmless. */
#define TIMEOUT_MAX_MS (60 * 60 * 1000)
#define IN_FLIGHT_MAX 10000
#define REPLY_MAX_BYTES (64 * 1024 * 1024)

/* To libcurl a timeout of 0 means none, which is never wanted. */
static int
clamp(int64_t value, int maximum)
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
	pair = format_text("%s:%s", client_id, client_secret);
	encoded = text_base64(pair);
	forget_text(pair);
	return encoded;
}

Settings *
settings_new(const ServerMessage *message)
{
	Settings   *settings = allocate(sizeof(Settings));

	settings->references = 1;
	settings->dialect = dialect_find(message->dialect);
	settings->api_url = copy_text(message->api_url);
	settings->login_url = copy_text(message->login_url);
	settings->client_id = copy_text(message->client_id);
	settings->client_secret = copy_text(message->client_secret);
	settings->basic = basic_credentials(message->client_id, message->client_secret);
	settings->opt_out_words = copy_text(message->opt_out_words);
	settings->route.ca_file = copy_text(message->ca_file);
	if (message->ca_file != NULL)
		settings->route.authorities = ca_file_read(message->ca_file, &settings->route.authorities_length,
												   settings->complaint, sizeof(settings->complaint));
	settings->route.proxy = copy_text(message->proxy);
	settings->route.private_hosts = copy_text(message->private_hosts);
	settings->route.max_reply = clamp(message->max_reply_bytes, REPLY_MAX_BYTES);
	settings->route.timeout_ms = clamp(message->timeout_ms, TIMEOUT_MAX_MS);
	settings->route.connect_timeout_ms = clamp(message->connect_timeout_ms, TIMEOUT_MAX_MS);
	settings->max_in_flight = clamp(message->max_in_flight, IN_FLIGHT_MAX);
	if (message->max_requests_per_minute > 0)
		settings->max_requests_per_minute =
			clamp(message->max_requests_per_minute, REQUESTS_PER_MINUTE_MAX);
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
	free(settings->api_url);
	free(settings->login_url);
	free(settings->client_id);
	forget_text(settings->client_secret);
	forget_text(settings->basic);
	free(settings->opt_out_words);
	free(settings->route.ca_file);
	free(settings->route.authorities);
	free(settings->route.proxy);
	free(settings->route.private_hosts);
	free(settings);
}

const char *
settings_find_fault(const Settings *settings)
{
	if (settings->dialect == NULL)
		return "unknown_dialect";
	if (settings->login_url != NULL && settings->basic == NULL)
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
	return is_same(one->login_url, other->login_url) &&
		is_same(one->client_id, other->client_id) &&
		is_same(one->client_secret, other->client_secret);
}

Secrets
settings_secrets(const Settings *settings, const char *token)
{
	return (Secrets) {.words = {settings->client_secret, settings->basic, token}};
}
