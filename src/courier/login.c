/*
 * login.c: the token of one server: asking for it, and when to ask again.
 */
#include "login.h"

#include <stddef.h>

#include "clock.h"
#include "http.h"
#include "retry.h"

/* Not to hammer a login server whose tokens do not last. */
#define INTERVAL_MS 1000

/* After a request that brought no token. */
#define FIRST_PAUSE_MS 5000
#define LONGEST_PAUSE_MS (60 * 1000)

/* A login server may ask for a longer pause, but not for an endless one. */
#define RETRY_AFTER_MAX_MS (5 * 60 * 1000)

static void on_token(void *owner, const HttpResponse *response);

void
login_init(Login *login, Traffic *traffic, void (*changed) (void *owner), void *owner)
{
	login->traffic = traffic;
	login->changed = changed;
	login->owner = owner;
}

void
login_end(Login *login)
{
	token_drop(&login->token);
	settings_release(login->current);
}

void
login_set(Login *login, Settings *settings, int64_t now_ms)
{
	if (login->current != NULL && !settings_share_login(settings, login->current))
	{
		token_drop(&login->token);
		login->failures = 0;
		login->ask_again_at_ms = login->asked_at_ms > 0 ? login->asked_at_ms + INTERVAL_MS : now_ms;
	}
	settings_hold(settings);
	settings_release(login->current);
	login->current = settings;
}

bool
login_is_ready(const Login *login, int64_t now_ms)
{
	return login->current->server.login_url == NULL || token_is_usable(&login->token, now_ms);
}

static void
ask_for_token(Login *login, int64_t now_ms)
{
	HttpRequest request = {0};

	login->asking = settings_hold(login->current);
	login->asked_at_ms = now_ms;
	login->ask_again_at_ms = now_ms + INTERVAL_MS;
	oauth_compose(login->asking, &request);
	login->request_length = http_request_length(&request);
	login->traffic->token_requests++;
	http_send(&request, &login->asking->route, on_token, login);
}

bool
login_permits(Login *login, int64_t now_ms)
{
	bool		ready = login_is_ready(login, now_ms);

	if (!ready)
		token_drop(&login->token);
	if (login->current->server.login_url != NULL && login->asking == NULL &&
		now_ms >= login->ask_again_at_ms && token_is_old(&login->token, now_ms))
		ask_for_token(login, now_ms);
	return ready;
}

const Reading *
login_refusal(const Login *login, int64_t now_ms)
{
	if (login->failures == 0 || login->asking != NULL || now_ms >= login->ask_again_at_ms ||
		login_is_ready(login, now_ms))
		return NULL;
	return &login->refusal;
}

static int64_t
pause_ms(const Login *login)
{
	int64_t		pause = nth_pause_ms(login->failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
	int64_t		asked_for = login->refusal.retry_after_ms;

	if (asked_for > RETRY_AFTER_MAX_MS)
		asked_for = RETRY_AFTER_MAX_MS;
	return asked_for > pause ? asked_for : pause;
}

/* Credentials that were replaced meanwhile have lost their say. */
static void
on_token(void *owner, const HttpResponse *response)
{
	Login	   *login = owner;
	Settings   *asked = login->asking;
	Secrets		secrets = settings_secrets(asked, NULL);
	int64_t		now_ms = clock_monotonic_ms();
	Reading		reading;
	Token		token = {0};
	bool		granted;

	if (response->sent)
		traffic_count(login->traffic, login->request_length, response);
	granted = oauth_read(response, &secrets, now_ms, &token, &reading);
	login->asking = NULL;
	if (!settings_share_login(asked, login->current))
		token_drop(&token);
	else if (granted)
	{
		token_drop(&login->token);
		login->token = token;
		login->number++;
		login->failures = 0;
	}
	else
	{
		login->failures++;
		login->refusal = reading;
		login->ask_again_at_ms = now_ms + pause_ms(login);
	}
	settings_release(asked);
	login->changed(login->owner);
}

void
login_note_accepted(Login *login, int64_t number)
{
	if (number > login->worked)
		login->worked = number;
}

void
login_note_refused(Login *login, int64_t number, int64_t now_ms)
{
	if (number != login->number || login->token.value == NULL)
		return;
	token_drop(&login->token);
	/* it was good, and has come to its end: no reason to wait */
	if (number == login->worked && login->failures == 0)
		login->ask_again_at_ms = now_ms;
}
