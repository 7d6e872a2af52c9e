/*
 * oauth.c: tokens by OAuth 2 client credentials.
 */
#define _GNU_SOURCE
#include "oauth.h"

#include <string.h>

#include "json.h"
#include "memory.h"
#include "version.h"

/* Longer ones do not fit into the header lines that servers accept. */
#define TOKEN_MAX 8000

/* For a server that does not say how long its token lives. */
#define DEFAULT_LIFETIME_S 300

/* Nobody needs to rely on a clock for longer than a day. */
#define MAX_LIFETIME_S (24 * 60 * 60)

/* A token is given up early, so that it does not expire on the way. */
#define MAX_MARGIN_MS (60 * 1000)

bool
token_is_usable(const Token *token, int64_t now_ms)
{
	return token->value != NULL && now_ms < token->expires_at_ms;
}

bool
token_is_old(const Token *token, int64_t now_ms)
{
	return token->value == NULL || now_ms >= token->renew_at_ms;
}

void
token_drop(Token *token)
{
	forget_text(token->value);
	token->value = NULL;
}

void
oauth_compose(const Settings *settings, HttpRequest *request)
{
	request->url = join_texts(settings->server.login_url, "/oauth/token", NULL);
	request->headers = join_texts("Authorization: Basic ", settings->basic, "\n"
								  "Content-Type: application/x-www-form-urlencoded\n"
								  "Accept: application/json\n"
								  USER_AGENT_HEADER, NULL);
	request->body = copy_text("grant_type=client_credentials");
}

/* It becomes part of a header line, so it must not be able to end one. */
static bool
token_is_valid(const char *value)
{
	size_t		length = value != NULL ? strlen(value) : 0;

	if (length == 0 || length > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return false;
	return true;
}

/* A kind of token that we do not know must not be used (RFC 6749, 7.1). */
static bool
type_is_bearer(const JsonObject *body)
{
	const char *type = json_member_text(body, "token_type");

	return type == NULL || strcasecmp(type, "bearer") == 0;
}

/* Given up at the margin, it is replaced from twice the margin on. */
static void
set_times(Token *token, const JsonObject *body, int64_t now_ms)
{
	int64_t		seconds;
	int64_t		margin_ms;

	if (!json_member_number(body, "expires_in", &seconds))
		seconds = DEFAULT_LIFETIME_S;
	if (seconds < 1)
		seconds = 1;
	if (seconds > MAX_LIFETIME_S)
		seconds = MAX_LIFETIME_S;
	margin_ms = seconds * 1000 / 10;
	if (margin_ms > MAX_MARGIN_MS)
		margin_ms = MAX_MARGIN_MS;
	token->expires_at_ms = now_ms + seconds * 1000 - margin_ms;
	token->renew_at_ms = token->expires_at_ms - margin_ms;
}

static void
read_failure(const JsonObject *body, const HttpResponse *response,
			 const Secrets *secrets, Reading *reading)
{
	int			status = response->status;
	bool		refused = status == 400 || status == 401 || status == 403;
	const char *description = json_member_text(body, "error_description");
	const char *detail = response->detail;

	/* a page of somebody's, or a token that we must not use: never its content */
	if (response->complete && status >= 200 && status <= 299)
		detail = "there is no bearer token in the answer; see that login_url is right";
	/* Genesys Cloud's word for it */
	if (description == NULL)
		description = json_member_text(body, "description");

	reading_init(reading, REPLY_BLOCKED, refused ? "bad_credentials" : "token_unavailable");
	if (!response->sent)
		reading_judge_unsent(reading, response->failure);
	/* no nudge is to blame: all of them wait, and none uses up an attempt */
	reading->class = REPLY_BLOCKED;
	reading->http_status = status;
	reading->retry_after_ms = response->retry_after_ms;
	text_clean(reading->error_code, WORD_SIZE, json_member_text(body, "error"), secrets);
	text_clean(reading->error_message, ERROR_MESSAGE_SIZE,
			   description != NULL ? description : detail, secrets);
}

bool
oauth_read(const HttpResponse *response, const Secrets *secrets, int64_t now_ms,
		   Token *token, Reading *reading)
{
	JsonObject *body = json_read(response->body, response->body_length);
	const char *value = json_member_text(body, "access_token");
	bool		granted;

	granted = response->complete && response->status == 200 &&
		token_is_valid(value) && type_is_bearer(body);
	if (granted)
	{
		token->value = copy_text(value);
		set_times(token, body, now_ms);
	}
	else
		read_failure(body, response, secrets, reading);
	json_free(body);
	return granted;
}
