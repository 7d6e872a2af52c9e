/*
 * server_queue.c: for each server the calls that wait, and its slots.
 *
 * Whatever changes (a call comes in or ends, a token arrives, settings are
 * replaced) ends in start_calls(), which alone decides what goes out next.
 */
#include "server_queue.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "http.h"
#include "login.h"
#include "memory.h"
#include "queue.h"
#include "throttle.h"

/* Of one call, with tokens that may have been good for others. */
#define REQUESTS_MAX 4

/* Calls wait in the courier for so long; if it takes longer, in the schedule. */
#define QUEUE_TIMEOUT_MS 5000

/* A message follows its look within so long, or not at all. */
#define EXPECTED_MS 1000

/*
 * Calls whose token was refused are made again before all others, which wait
 * for the answers, but for no longer than this: the new token may be good for
 * few calls, and a call that meets the end of one after the other has failed.
 */
#define REPEATS_FIRST_MS 1000

typedef struct ServerQueue
{
	struct ServerQueue *next;
	char	   *name;
	Settings   *settings;
	Login		login;
	Traffic		traffic;		/* that no reply has told of */
	Throttle	throttle;
	Queue		waiting;
	int			in_flight;
	int			looks;			/* of these, looks */
	int			repeats;		/* of these, calls whose token was refused before */
	int64_t		repeated_at_ms; /* the last of them was */
	int			expected;		/* messages that may follow looks, on the wire or just answered */
	int64_t		answered_at_ms;	/* the last look was */
	bool		forgotten;		/* the worker knows it no more */
} ServerQueue;

static ServerQueue *servers;

static void start_calls(ServerQueue *server);
static void on_login(void *owner);

static ServerQueue *
find_server(const char *name)
{
	for (ServerQueue *server = servers; server != NULL; server = server->next)
		if (strcmp(server->name, name) == 0)
			return server;
	return NULL;
}

static ServerQueue *
add_server(const char *name)
{
	ServerQueue *server = allocate(sizeof(ServerQueue));

	server->name = copy_text(name);
	login_init(&server->login, &server->traffic, on_login, server);
	server->next = servers;
	servers = server;
	return server;
}

/* One for each call that may be on the wire, and one for each login. */
static void
keep_enough_connections(void)
{
	int			count = 0;

	for (ServerQueue *server = servers; server != NULL; server = server->next)
		count += server->settings->server.max_in_flight + 1;
	http_keep_connections(count);
}

void
server_queues_configure(const ServerMessage *message)
{
	ServerQueue *server = find_server(message->name);
	Settings   *settings = settings_new(message);

	if (server == NULL)
		server = add_server(message->name);
	else if (strcmp(server->settings->server.api_url, settings->server.api_url) != 0)
		/* the API that was looked at is not the one that would hear of it now */
		queue_expire_messages(&server->waiting);
	server->forgotten = false;
	login_set(&server->login, settings, clock_monotonic_ms());
	settings_release(server->settings);
	server->settings = settings;
	throttle_set(&server->throttle, settings->server.max_requests_per_minute, clock_monotonic_ms());
	/* as the worker takes changed options for the cure */
	throttle_end_pause(&server->throttle);
	keep_enough_connections();
	start_calls(server);
}

static void
refuse_waiting(ServerQueue *server, const Reading *reading)
{
	while (queue_first(&server->waiting) != NULL)
		call_end_with(queue_take(&server->waiting), reading);
}

static void
on_login(void *owner)
{
	start_calls(owner);
}

/*
 * A token that the API refuses was not good for anything, so the call may be
 * repeated; but only with another token, and only once, unless that one was
 * good for other calls and then came to its end, too.  While other calls are on
 * the wire, nobody knows yet that it was not: answers come in any order.
 */
static bool
deserves_another_token(const Call *call, const HttpResponse *response)
{
	const ServerQueue *server = call->server;

	if (response->status != 401 || call->token == NULL)
		return false;
	return call->requests_sent == 1 ||
		(call->requests_sent < REQUESTS_MAX &&
		 (call->token_number <= server->login.worked || server->in_flight > 0));
}

static void
note_token(Call *call, const HttpResponse *response)
{
	Login	   *login = &call->server->login;

	if (call->token == NULL)
		return;
	if (response->status == 401)
		login_note_refused(login, call->token_number, clock_monotonic_ms());
	else if (response->status >= 200 && response->status <= 299)
		login_note_accepted(login, call->token_number);
}

/* "Too many requests" is said to the client, not to one call. */
static void
note_welcome(ServerQueue *server, const Call *call, const HttpResponse *response)
{
	Welcome		welcome = response->status == 0 ? WELCOME_UNKNOWN : WELCOME;

	if (response->too_late)
		welcome = WELCOME_UNASKED;
	else if (response->status == 429 || (response->status == 503 && response->retry_after_ms >= 0))
		welcome = response->retry_after_ms < 0 || response->retry_in_words ?
			WELCOME_NOT_SOON : WELCOME_NOT_NOW;
	throttle_end(&server->throttle, call->round, welcome, response->retry_after_ms,
				 server->settings->server.max_in_flight, clock_monotonic_ms());
}

static void
on_response(void *owner, const HttpResponse *response)
{
	Call	   *call = owner;
	ServerQueue *server = call->server;

	server->in_flight--;
	server->repeats -= call->requests_sent > 0;
	if (call->message.step == STEP_CHECK)
	{
		server->looks--;
		server->answered_at_ms = clock_monotonic_ms();
	}
	note_welcome(server, call, response);
	call_note_attempt(call, response);
	note_token(call, response);
	if (response->too_late)
		call_give_back(call, response->failure);
	else if (deserves_another_token(call, response))
		queue_put_again(&server->waiting, call);
	else if (call_end(call, response) > 0)
		throttle_count(&server->throttle, clock_monotonic_ms());
	start_calls(server);
}

/* Answers the calls for which there is no sense in waiting. */
static void
refuse_hopeless(ServerQueue *server, int64_t now_ms)
{
	const char *fault = settings_find_fault(server->settings);
	int64_t		held_ms = throttle_rests_until_ms(&server->throttle) - now_ms;
	const Reading *refusal = login_refusal(&server->login, now_ms);
	Reading		reading;

	if (fault != NULL)
	{
		Secrets		secrets = settings_secrets(server->settings, NULL);

		reading_init(&reading, REPLY_BLOCKED, fault);
		text_clean(reading.error_message, ERROR_MESSAGE_SIZE, server->settings->complaint, &secrets);
	}
	else if (held_ms > QUEUE_TIMEOUT_MS || throttle_waits_since_ms(&server->throttle, now_ms) >= QUEUE_TIMEOUT_MS)
	{
		reading_init(&reading, REPLY_BLOCKED, "rate_limited");
		reading.retry_after_ms = held_ms > QUEUE_TIMEOUT_MS ? held_ms : QUEUE_TIMEOUT_MS;
	}
	else if (refusal != NULL)
		reading = *refusal;
	else
		return;
	refuse_waiting(server, &reading);
}

/* Its token was good for nothing, and another one did not come in time. */
static void
refuse_unauthorised(Call *call)
{
	Reading		reading;

	reading_init(&reading, REPLY_BLOCKED, "unauthorized");
	reading.http_status = 401;
	call_end_with(call, &reading);
}

static void
refuse_late(ServerQueue *server, int64_t now_ms)
{
	Call	   *call = queue_take_late(&server->waiting, now_ms);

	while (call != NULL)
	{
		Call	   *next = call->next;

		if (call->begin_by_ms <= now_ms)
			call_refuse(call, REPLY_NOT_APPLIED, "expired");
		else if (call->requests_sent > 0 && call->token_number > server->login.worked)
			refuse_unauthorised(call);
		else
			call_give_back(call, "turn");
		call = next;
	}
}

/*
 * A look goes when there is room for the message that may follow it, too, and
 * for those that may follow the looks before it: what they see does not keep.
 */
static int
requests_of(const ServerQueue *server, const Call *call, int64_t now_ms)
{
	bool		is_over = server->looks == 0 && now_ms - server->answered_at_ms >= EXPECTED_MS;

	if (call->message.step != STEP_CHECK || call->requests_sent > 0)
		return 1;
	return REQUESTS_OF_NUDGE + (is_over ? 0 : server->expected);
}

/* For so long the first one waits for those that are being repeated. */
static int64_t
wait_for_repeats_ms(const ServerQueue *server, int64_t now_ms)
{
	int64_t		left_ms = server->repeated_at_ms + REPEATS_FIRST_MS - now_ms;

	return queue_first(&server->waiting)->requests_sent == 0 && server->repeats > 0 && left_ms > 0 ? left_ms : 0;
}

static void
note_begun(ServerQueue *server, const Call *call)
{
	server->in_flight++;
	if (call->requests_sent > 0)
	{
		server->repeats++;
		server->repeated_at_ms = clock_monotonic_ms();
	}
	if (call->message.step != STEP_CHECK)
		server->expected -= server->expected > 0;
	else
	{
		if (server->looks++ == 0 && clock_monotonic_ms() - server->answered_at_ms >= EXPECTED_MS)
			server->expected = 0;
		server->expected++;
	}
}

static void
start_calls(ServerQueue *server)
{
	int64_t		now_ms = clock_monotonic_ms();

	refuse_hopeless(server, now_ms);
	refuse_late(server, now_ms);
	while (queue_first(&server->waiting) != NULL &&
		   server->in_flight < server->settings->server.max_in_flight &&
		   login_permits(&server->login, now_ms) &&
		   wait_for_repeats_ms(server, now_ms) == 0 &&
		   throttle_has_room(&server->throttle) &&
		   throttle_wait_ms(&server->throttle, requests_of(server, queue_first(&server->waiting), now_ms), now_ms) == 0)
	{
		Call	   *call = queue_take(&server->waiting);

		note_begun(server, call);
		call->round = throttle_begin(&server->throttle, now_ms);
		call->token_number = server->login.number;
		call_send(call, server->settings, server->login.token.value, on_response);
	}
}

static const char *
find_dialect_fault(const Call *call, const Dialect *dialect)
{
	if (call->message.step == STEP_CHECK || dialect->find_fault == NULL)
		return NULL;
	return dialect->find_fault(&call->message);
}

void
server_queues_accept(Call *call)
{
	ServerQueue *server = find_server(call->message.server);
	const char *fault = call_find_fault(call);

	if (server == NULL)
		call_refuse(call, REPLY_REJECTED, "unknown_server");
	else if (fault != NULL)
		call_refuse(call, REPLY_REJECTED, fault);
	else if (server->settings->dialect == NULL)
		call_refuse(call, REPLY_BLOCKED, "unknown_dialect");
	else if (call->message.render_only)
		call_render(call, server->settings, find_dialect_fault(call, server->settings->dialect));
	else if ((fault = find_dialect_fault(call, server->settings->dialect)) != NULL)
		call_refuse(call, REPLY_REJECTED, fault);
	else
	{
		call->server = server;
		call->traffic = &server->traffic;
		queue_put(&server->waiting, call);
		start_calls(server);
	}
}

/* When calls can go out that only wait for their time; INT64_MAX: none does. */
static int64_t
next_start_ms(const ServerQueue *server, int64_t now_ms)
{
	bool		ready = login_is_ready(&server->login, now_ms);

	if (queue_first(&server->waiting) == NULL || (!ready && server->login.asking != NULL) ||
		server->in_flight >= server->settings->server.max_in_flight)
		return INT64_MAX;
	if (!ready)
		return server->login.ask_again_at_ms;
	if (!throttle_has_room(&server->throttle))
		return now_ms + QUEUE_TIMEOUT_MS - throttle_waits_since_ms(&server->throttle, now_ms);
	if (wait_for_repeats_ms(server, now_ms) > 0)
		return now_ms + wait_for_repeats_ms(server, now_ms);
	return now_ms + throttle_wait_ms(&server->throttle, requests_of(server, queue_first(&server->waiting), now_ms), now_ms);
}

static int64_t
next_ms(const ServerQueue *server, int64_t now_ms)
{
	int64_t		start_ms = next_start_ms(server, now_ms);
	int64_t		late_ms = server->waiting.late_at_ms;

	return start_ms < late_ms ? start_ms : late_ms;
}

void
server_queues_forget(const char *name)
{
	ServerQueue *server = find_server(name);

	if (server != NULL)
		server->forgotten = true;
}

static bool
is_needed(const ServerQueue *server)
{
	return !server->forgotten || queue_first(&server->waiting) != NULL || server->in_flight > 0 ||
		server->login.asking != NULL;
}

static void
free_server(ServerQueue *server, int64_t now_ms)
{
	login_end(&server->login);
	throttle_set(&server->throttle, 0, now_ms);
	settings_release(server->settings);
	free(server->name);
	free(server);
	keep_enough_connections();
}

void
server_queues_run(int64_t now_ms)
{
	for (ServerQueue **place = &servers; *place != NULL;)
	{
		ServerQueue *server = *place;

		if (next_ms(server, now_ms) <= now_ms)
			start_calls(server);
		if (is_needed(server))
			place = &server->next;
		else
		{
			*place = server->next;
			free_server(server, now_ms);
		}
	}
}

int
server_queues_wait_ms(int64_t now_ms, int limit_ms)
{
	int64_t		earliest_ms = now_ms + limit_ms;

	for (ServerQueue *server = servers; server != NULL; server = server->next)
	{
		int64_t		server_ms = next_ms(server, now_ms);

		if (server_ms < earliest_ms)
			earliest_ms = server_ms;
	}
	return earliest_ms > now_ms ? (int) (earliest_ms - now_ms) : 0;
}
