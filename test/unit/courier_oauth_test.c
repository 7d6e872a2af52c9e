/*
 * courier_oauth_test.c: asking for tokens and reading the answers.
 */
#include "oauth.h"

#include "settings.h"
#include "tap.h"

#define NOW 5000

static const ServerMessage message = {
	.name = "s", .dialect = "messaging", .api_url = "https://api", .login_url = "https://login",
	.client_id = "id", .client_secret = "s3cret", .timeout_ms = 0, .connect_timeout_ms = -5,
	.max_in_flight = INT64_MAX,
};

static void
test_settings(void)
{
	Settings   *one = settings_new(&message);
	ServerMessage changed = message;
	Settings   *other;

	is_number(one->server.timeout_ms, 1, "no timeout is no setting");
	is_number(one->server.max_in_flight, 10000, "nor are endless calls");
	changed.api_url = "https://elsewhere";
	other = settings_new(&changed);
	ok(settings_share_login(one, other), "a token is good for another api_url");
	settings_release(other);
	changed.client_secret = "new";
	other = settings_new(&changed);
	ok(!settings_share_login(one, other), "but not for another secret");
	settings_release(settings_hold(other));
	settings_release(other);
	settings_release(one);
	settings_release(NULL);
}

static void
test_compose(void)
{
	Settings   *settings = settings_new(&message);
	HttpRequest request = {0};

	oauth_compose(settings, &request);
	is_text(request.url, "https://login/oauth/token", "URL");
	is_text(request.body, "grant_type=client_credentials", "body");
	ok(strstr(request.headers, "Authorization: Basic aWQ6czNjcmV0\n") == request.headers,
	   "credentials");
	http_request_free(&request);
	settings_release(settings);
}

typedef struct TokenCase
{
	const char *name;
	const char *body;
	int64_t		usable_ms;		/* -1: no token */
	int64_t		renewed_ms;
} TokenCase;

static const TokenCase token_cases[] = {
	{"a token for a day",
	"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":86400}", 86340000, 86280000},
	{"a token for 100 s",
	"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":100}", 90000, 80000},
	{"a token that says no more", "{\"access_token\":\"t\"}", 270000, 240000},
	{"a token for no time", "{\"access_token\":\"t\",\"expires_in\":0}", 900, 800},
	{"a token that is over",
	"{\"access_token\":\"t\",\"expires_in\":-1}", 900, 800},
	{"a token of which nobody knows",
	"{\"access_token\":\"t\",\"expires_in\":\"soon\"}", 270000, 240000},
	{"a token for ever", "{\"access_token\":\"t\",\"expires_in\":999999999999}", 86340000, 86280000},
	{"no token", "{\"expires_in\":86400}", -1, 0},
	{"an empty token", "{\"access_token\":\"\"}", -1, 0},
	{"a token with a space", "{\"access_token\":\"a b\"}", -1, 0},
	{"a token with a header", "{\"access_token\":\"a\\r\\nX: y\"}", -1, 0},
	{"a token of bytes", "{\"access_token\":\"\\u00fc\"}", -1, 0},
	{"a number", "{\"access_token\":7}", -1, 0},
	{"another type", "{\"access_token\":\"t\",\"token_type\":\"mac\"}", -1, 0},
	{"a page", "<html>", -1, 0},
	{"nothing", "", -1, 0},
};

static HttpResponse
answer(int status, const char *body)
{
	return (HttpResponse) {
		.status = status, .sent = true, .complete = true, .detail = "network",
		.retry_after_ms = -1, .headers = "", .body = body, .body_length = strlen(body),
	};
}

static void
test_tokens(void)
{
	Secrets		secrets = {.words = {NULL}};

	for (size_t i = 0; i < sizeof(token_cases) / sizeof(token_cases[0]); i++)
	{
		const TokenCase *wanted = &token_cases[i];
		HttpResponse response = answer(200, wanted->body);
		Token		token = {0};
		Reading		reading;
		bool		granted = oauth_read(&response, &secrets, NOW, &token, &reading);

		if (!ok(granted == (wanted->usable_ms >= 0), "%s", wanted->name))
			continue;
		if (granted)
		{
			ok(token_is_usable(&token, NOW + wanted->usable_ms - 1), "usable until then");
			ok(!token_is_usable(&token, NOW + wanted->usable_ms), "and no longer");
			ok(!token_is_old(&token, NOW + wanted->renewed_ms - 1), "kept");
			ok(token_is_old(&token, NOW + wanted->renewed_ms), "and renewed before");
		}
		else
		{
			is_text(reading.reason, "token_unavailable", "is not available");
			is_text(reading.error_message, "there is no bearer token in the answer; see that login_url is right",
					"and nothing of the answer is told");
		}
		token_drop(&token);
		ok(!token_is_usable(&token, NOW), "dropped");
	}
}

static void
test_failures(void)
{
	Secrets		secrets = {.words = {"s3cret", "aWQ6czNjcmV0", NULL}};
	HttpResponse response = answer(401, "{\"error\":\"invalid_client\","
								   "\"error_description\":\"s3cret or aWQ6czNjcmV0?\"}");
	Token		token = {0};
	Reading		reading;

	ok(!oauth_read(&response, &secrets, NOW, &token, &reading), "401");
	is_number(reading.class, REPLY_BLOCKED, "is blocked");
	is_text(reading.reason, "bad_credentials", "for its credentials");
	is_text(reading.error_code, "invalid_client", "error code");
	is_text(reading.error_message, "*** or ***?", "error message");
	is_number(reading.http_status, 401, "status");

	response = answer(503, "");
	response.retry_after_ms = 7000;
	ok(!oauth_read(&response, &secrets, NOW, &token, &reading), "503");
	is_number(reading.class, REPLY_BLOCKED, "blocks as well: no nudge is to blame");
	is_text(reading.reason, "token_unavailable", "for another reason");
	is_number(reading.retry_after_ms, 7000, "until it says");

	response = answer(200, "{\"access_token\":\"t\"}");
	response.complete = false;
	ok(!oauth_read(&response, &secrets, NOW, &token, &reading), "a cut answer");
	is_text(reading.error_message, "network", "says what happened");
}

int
main(void)
{
	test_settings();
	test_compose();
	test_tokens();
	test_failures();
	return done_testing();
}
