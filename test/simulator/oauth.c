/*
 * oauth.c: client credentials for tokens, and tokens for calls.
 */
#include "oauth.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <json-c/linkhash.h>

#include "answer.h"
#include "memory.h"
#include "quoting.h"
#include "settings.h"

typedef struct Token
{
	char		text[IDENTIFIER_SIZE];
	int64_t		expires_us;
	int64_t		calls_left;		/* or UNLIMITED */
} Token;

static struct lh_table *tokens = NULL;	/* text -> Token */

static void
free_entry(struct lh_entry *entry)
{
	free((void *) lh_entry_v(entry));
}

/* RFC 6749, section 5.2. */
static void
refuse(Answer *answer, unsigned int status, const char *error, const char *description)
{
	answer_start(answer, status);
	sprintbuf(answer->body, "{\"error\":\"%s\",\"error_description\":\"%s\"}", error, description);
	if (status == MHD_HTTP_UNAUTHORIZED)
		answer_set_header(answer, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"simulator\"");
}

static bool
is_our_client(const Request *request)
{
	char	   *password = NULL;
	char	   *name = MHD_basic_auth_get_username_password(request->handle, &password);
	bool		ours = name != NULL && password != NULL &&
		strcmp(name, settings.client_id) == 0 &&
		strcmp(password, settings.client_secret) == 0;

	MHD_free(name);
	MHD_free(password);
	return ours;
}

static bool
is_form(const Request *request)
{
	const char *form = "application/x-www-form-urlencoded";

	return request->content_type != NULL &&
		strncasecmp(request->content_type, form, strlen(form)) == 0;
}

static bool
asks_for_client_credentials(const Request *request)
{
	const char *wanted = "grant_type=client_credentials";
	const char *pair = request->body->bpos > 0 ? request->body->buf : "";

	while (*pair != '\0')
	{
		size_t		length = strcspn(pair, "&");

		if (length == strlen(wanted) && strncmp(pair, wanted, length) == 0)
			return true;
		pair += length + (pair[length] == '&');
	}
	return false;
}

/* No part of it is one of an id, as it would be in no API. */
static void
make_text(char text[IDENTIFIER_SIZE])
{
	char		identifier[IDENTIFIER_SIZE];
	uint64_t	half;

	identifier_make(identifier);
	half = identifier_hash(identifier);
	identifier[0] ^= 1;
	snprintf(text, IDENTIFIER_SIZE, "%016llx%016llx", (unsigned long long) half,
			 (unsigned long long) identifier_hash(identifier));
}

static const Token *
issue_token(int64_t now_us)
{
	Token	   *token = allocated(malloc(sizeof(Token)));

	make_text(token->text);
	token->expires_us = now_us + settings.token_lifetime * 1000000;
	token->calls_left = settings.token_calls;
	if (tokens == NULL)
		oauth_forget_all();
	lh_table_insert(tokens, token->text, token);
	return token;
}

void
oauth_answer(const Request *request, Answer *answer)
{
	if (!is_form(request))
		refuse(answer, MHD_HTTP_BAD_REQUEST, "invalid_request", "the body must be a form");
	else if (!asks_for_client_credentials(request))
		refuse(answer, MHD_HTTP_BAD_REQUEST, "unsupported_grant_type",
			   "grant_type must be client_credentials");
	else if (!is_our_client(request))
		refuse(answer, MHD_HTTP_UNAUTHORIZED, "invalid_client", "client authentication failed");
	else
	{
		const Token *token = issue_token(request->arrived_us);

		answer_start(answer, MHD_HTTP_OK);
		sprintbuf(answer->body, "{\"access_token\":\"%s\",\"token_type\":\"bearer\","
				  "\"expires_in\":%lld}", token->text, (long long) settings.token_lifetime);
	}
}

static struct lh_entry *
find_token(const Request *request)
{
	const char *scheme = "Bearer ";
	const char *given = request->authorization;

	if (tokens == NULL || given == NULL || strncasecmp(given, scheme, strlen(scheme)) != 0)
		return NULL;
	return lh_table_lookup_entry(tokens, given + strlen(scheme));
}

bool
oauth_accepts(const Request *request)
{
	struct lh_entry *entry;
	Token	   *token;

	if (settings.no_auth)
		return true;
	entry = find_token(request);
	if (entry == NULL)
		return false;
	token = (Token *) lh_entry_v(entry);
	if (request->arrived_us >= token->expires_us || token->calls_left == 0)
	{
		lh_table_delete_entry(tokens, entry);
		return false;
	}
	if (token->calls_left > 0)
		token->calls_left--;
	return true;
}

void
oauth_forget(const Request *request)
{
	struct lh_entry *entry = find_token(request);

	if (entry != NULL)
		lh_table_delete_entry(tokens, entry);
}

void
oauth_forget_all(void)
{
	if (tokens != NULL)
		lh_table_free(tokens);
	tokens = lh_kchar_table_new(64, free_entry);
}
