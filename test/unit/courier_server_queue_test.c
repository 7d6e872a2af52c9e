/*
 * courier_server_queue_test.c: order, slots and tokens of the calls to a server.
 *
 * The network, the worker and the clock are played by this file, in place of
 * http.c, link.c and clock.c.
 */
#include "server_queue.h"

#include <stdlib.h>

#include "clock.h"
#include "link.h"
#include "tap.h"

#define MAX_SENT 32

/* One request that is "on the wire". */
typedef struct Sent
{
	HttpRequest request;
	HttpDone	done;
	void	   *owner;
} Sent;

static Sent sent[MAX_SENT];
static int	sent_count;
static int	connections;
static int64_t now_ms = 100000;

static ReplyMessage last_reply;
static char last_reason[64];
static int	replies;
static char rendered_headers[512];

void
http_send(HttpRequest *request, const HttpRoute *route, HttpDone done, void *owner)
{
	(void) route;
	sent[sent_count++] = (Sent) {*request, done, owner};
	memset(request, 0, sizeof(*request));
}

void
http_keep_connections(int count)
{
	connections = count;
}

int64_t
clock_monotonic_ms(void)
{
	return now_ms;
}

void
link_send_reply(const ReplyMessage *message)
{
	replies++;
	last_reply = *message;
	snprintf(last_reason, sizeof(last_reason), "%s",
			 message->reason != NULL ? message->reason : "");
}

bool
link_send_rendered(const RenderedMessage *message)
{
	snprintf(rendered_headers, sizeof(rendered_headers), "%s", message->headers);
	return true;
}

/* Answers the request that was sent first of those still open. */
static void
answer(int status, const char *body)
{
	Sent		first = sent[0];
	HttpResponse response = {
		.status = status, .sent = true, .complete = true, .detail = "", .sent_at = now_ms,
		.retry_after_ms = -1, .headers = "", .body = body, .body_length = strlen(body),
	};

	memmove(sent, sent + 1, (size_t) --sent_count * sizeof(Sent));
	first.done(first.owner, &response);
	http_request_free(&first.request);
}

static void
answer_with_token(const char *token)
{
	char		body[128];

	snprintf(body, sizeof(body), "{\"access_token\":\"%s\",\"expires_in\":100}", token);
	answer(200, body);
}

/* The request at that place of those still open carries this text. */
static bool
sends(int place, const char *text)
{
	return place < sent_count &&
		(strstr(sent[place].request.headers, text) != NULL ||
		 strstr(sent[place].request.url, text) != NULL);
}

static int	max_requests_per_minute;
static const char *api_url = "https://api";

static void
configure(const char *name, const char *login_url, const char *secret, int max_in_flight)
{
	ServerMessage message = {
		.name = name, .dialect = "messaging", .api_url = api_url,
		.login_url = login_url, .client_id = "id", .client_secret = secret,
		.timeout_ms = 1000, .connect_timeout_ms = 1000, .max_in_flight = max_in_flight,
		.max_requests_per_minute = max_requests_per_minute,
	};

	server_queues_configure(&message);
}

/* Of the calls that are made; 0: whenever. */
static int64_t leave_by_ms;

static void
call_with(const char *server, Step step, const char *id, bool render_only)
{
	CallMessage message = {
		.call_id = 7, .step = step, .render_only = render_only, .server = server, .leave_by_ms = leave_by_ms,
		.conversation_id = id, .nudge_id = "n-1", .text = "Hi",
	};
	FrameBuffer buffer = {0};
	Frame		frame;

	message_put_call(&buffer, &message);
	frame_next(buffer.data, buffer.length, &frame);
	server_queues_accept(call_new(&frame));
	frame_buffer_free(&buffer);
}

static void
call(const char *server, const char *id)
{
	call_with(server, STEP_CHECK, id, false);
}

#define FOUND "{\"status\":\"active\"}"

static void
test_refusals(void)
{
	call("nowhere", "a");
	is_text(last_reason, "unknown_server", "unknown server");
	is_number(last_reply.class, REPLY_REJECTED, "is rejected");
	is_number(last_reply.call_id, 7, "under its number");
	configure("open", NULL, NULL, 2);
	call("open", "a/b");
	is_text(last_reason, "invalid_id", "invalid id");
	call_with("open", STEP_CREATE, "a", false);
	is_text(last_reason, "no_address", "create without an address");
	configure("locked", "https://login", NULL, 2);
	call("locked", "a");
	is_text(last_reason, "no_credentials", "no credentials");
	is_number(last_reply.class, REPLY_BLOCKED, "is blocked");
	is_number(sent_count, 0, "nothing was sent");
}

static void
test_slots_and_order(void)
{
	replies = 0;
	configure("open", NULL, NULL, 2);
	for (int i = 0; i < 4; i++)
		call("open", (const char *[]) {"a", "b", "c", "d"}[i]);
	is_number(sent_count, 2, "two calls at once");
	ok(sends(0, "/a") && sends(1, "/b"), "the first two");
	answer(200, FOUND);
	ok(sends(0, "/b") && sends(1, "/c"), "then the third");
	is_number(last_reply.class, REPLY_DONE, "the first is done");
	is_number(last_reply.api_calls, 1, "with one request");
	is_number(last_reply.called_at, now_ms, "made at that time");
	configure("open", NULL, NULL, 3);
	is_number(sent_count, 3, "more slots, more calls");
	while (sent_count > 0)
		answer(200, FOUND);
	is_number(replies, 4, "all are answered");
	ok(connections >= 4, "as many connections are kept as are used");
}

/* One goes first after a limit; who waits too long for its answer gets one of our own. */
static void
test_limit(void)
{
	replies = 0;
	configure("limited", NULL, NULL, 4);
	for (int i = 0; i < 6; i++)
		call("limited", (const char *[]) {"a", "b", "c", "d", "e", "f"}[i]);
	is_number(sent_count, 4, "as many as there is room for");
	answer(429, "{}");
	is_number(last_reply.http_status, 429, "a limited answer is told as what it is");
	is_number(last_reply.retry_after_ms, -1, "and that the API does not say until when");
	answer(200, FOUND);
	answer(429, "{}");
	answer(200, FOUND);
	is_number(sent_count, 0, "nothing follows at once");
	is_number(server_queues_wait_ms(now_ms, 60000), 1000, "but a second later");
	now_ms += 1000;
	server_queues_run(now_ms);
	is_number(sent_count, 1, "one goes first");
	ok(sends(0, "/e"), "the next in order");
	call("limited", "g");
	is_number(sent_count, 1, "others wait for its answer");
	is_number(server_queues_wait_ms(now_ms, 60000), 5000, "but not for ever");
	now_ms += 5000;
	server_queues_run(now_ms);
	is_number(replies, 6, "those that have waited are answered");
	is_text(last_reason, "rate_limited", "as limited");
	is_number(last_reply.class, REPLY_BLOCKED, "by no fault of theirs");
	is_number(last_reply.http_status, 0, "without having been sent");
	ok(last_reply.retry_after_ms > 0, "and with a time to come back");
	answer(200, FOUND);
	call("limited", "h");
	call("limited", "i");
	call("limited", "j");
	is_number(sent_count, 2, "an answer allows one more at a time");
	answer(200, FOUND);
	is_number(sent_count, 2, "and each further one");
	while (sent_count > 0)
		answer(200, FOUND);
	is_number(replies, 10, "all are answered");
}

static void
test_token(void)
{
	replies = 0;
	configure("s", "https://login", "secret", 8);
	call("s", "a");
	call("s", "b");
	is_number(sent_count, 1, "one request for a token");
	ok(sends(0, "https://login/oauth/token"), "goes to the login server");
	answer_with_token("one");
	ok(sends(0, "Bearer one") && sends(1, "Bearer one"), "then both calls carry it");
	while (sent_count > 0)
		answer(200, FOUND);
	is_number(replies, 2, "all are answered");
}

/* Goes on with the token "one", of which 100 s were promised. */
static void
test_renewal(void)
{
	replies = 0;
	now_ms += 79999;
	call("s", "a");
	is_number(sent_count, 1, "a token is used for most of its life");
	now_ms += 1;
	call("s", "b");
	ok(sends(1, "/oauth/token") && sends(2, "Bearer one"), "then replaced, while calls go on with it");
	call("s", "c");
	is_number(sent_count, 4, "one request for the new one");
	is_number(server_queues_wait_ms(now_ms, 60000), 60000, "nobody waits for it");
	answer(200, FOUND);
	answer_with_token("two");
	call("s", "d");
	ok(sends(2, "Bearer two"), "which is used as soon as it is there");
	while (sent_count > 0)
		answer(200, FOUND);
	is_number(replies, 4, "all are answered");

	now_ms += 80000;
	call("s", "a");
	answer(503, "");
	ok(sends(0, "Bearer two"), "a renewal that fails fails no call");
	now_ms += 4999;
	call("s", "b");
	is_number(sent_count, 2, "it is not tried again at once");
	now_ms += 1;
	call("s", "c");
	ok(sends(2, "/oauth/token") && sends(3, "Bearer two"), "but after a while");
	now_ms += 5000;
	call("s", "d");
	is_number(sent_count, 4, "a token is given up shortly before its end");
	while (sent_count > 2)
		answer(200, FOUND);
	answer_with_token("three");
	ok(sends(1, "Bearer three"), "and calls wait for the next");
	while (sent_count > 0)
		answer(200, FOUND);
	is_number(replies, 8, "all are answered");
}

/* Goes on with the token "three". */
static void
test_refused_token(void)
{
	replies = 0;
	now_ms += 5000;
	call("s", "a");
	call("s", "b");
	answer(401, "");
	is_number(replies, 0, "a refused token is no answer");
	ok(sends(0, "/b") && sends(1, "/oauth/token"), "but asks for a new one");
	answer(401, "");
	is_number(sent_count, 1, "one for both");
	answer_with_token("four");
	ok(sends(0, "Bearer four") && sends(1, "Bearer four"), "and repeats them");
	answer(401, "");
	is_number(replies, 0, "a second refusal is final only when no other call may show the token to be good");
	answer(401, "");
	is_text(last_reason, "unauthorized", "as for the last of them");
	is_number(last_reply.class, REPLY_BLOCKED, "it is blocked");
	is_number(last_reply.api_calls, 2, "with two requests");
	is_number(replies, 1, "and the other waits for a token");
	now_ms += 1000;
	server_queues_run(now_ms);
	answer_with_token("again");
	ok(sends(0, "/a") && sends(0, "Bearer again"), "with which it is made");
	answer(401, "");
	is_text(last_reason, "unauthorized", "by itself it is refused for good");
	is_number(last_reply.api_calls, 3, "with three requests");
	is_number(replies, 2, "both are answered");

	call("s", "c");
	is_number(sent_count, 0, "no second token within a second, if it was good for nothing");
	is_number(server_queues_wait_ms(now_ms, 60000), 1000, "which the next call waits for");
	now_ms += 1000;
	server_queues_run(now_ms);
	ok(sends(0, "/oauth/token"), "and then asks");
	is_number(server_queues_wait_ms(now_ms, 60000), 60000, "and waits for the answer");
	answer_with_token("five");
	answer(200, FOUND);
	is_number(last_reply.class, REPLY_DONE, "and goes on");
}

/* Goes on with the token "five", which has worked: tokens that die of use. */
static void
test_short_lived_tokens(void)
{
	replies = 0;
	call("s", "a");
	call("s", "b");
	call("s", "c");
	answer(200, FOUND);
	answer(401, "");
	ok(sends(1, "/oauth/token"), "a token that was good for a call is replaced at once");
	answer(401, "");
	call("s", "d");
	answer_with_token("six");
	ok(sends(0, "/b") && sends(1, "/c") && sent_count == 2, "and the calls are repeated, for which others wait");
	answer(200, FOUND);
	answer(401, "");
	ok(sends(0, "/oauth/token"), "the next one comes to its end, too");
	answer_with_token("seven");
	ok(sends(0, "/c") && sent_count == 1, "a call that was refused twice comes first");
	is_number(replies, 2, "and has not failed");
	is_number(server_queues_wait_ms(now_ms, 60000), 1000, "others wait for a second at most");
	now_ms += 1000;
	server_queues_run(now_ms);
	ok(sends(1, "/d"), "and then go beside it");
	answer(200, FOUND);
	is_number(last_reply.api_calls, 3, "it is answered after three requests");
	answer(200, FOUND);
	is_number(last_reply.api_calls, 1, "the other after one");
	is_number(replies, 4, "all are answered");
}

/* Refused at "pause_ms" minus one, asked again then. */
static void
check_pause(int64_t pause_ms)
{
	int			before = replies;

	now_ms += pause_ms - 1;
	call("s", "early");
	is_number(replies, before + 1, "a call is answered at once");
	ok(sent_count == 0, "and no token asked for within %d s", (int) (pause_ms / 1000));
	is_number(server_queues_wait_ms(now_ms, 60000), 60000, "nothing waits");
	now_ms += 1;
	call("s", "punctual");
	ok(sends(0, "/oauth/token"), "then it is");
	is_number(sent_count, 1, "once");
}

static void
test_login_failures(void)
{
	now_ms += 100000;
	replies = 0;
	call("s", "a");
	call("s", "b");
	answer(401, "{\"error\":\"invalid_client\"}");
	is_number(replies, 2, "refused credentials answer all that wait");
	is_text(last_reason, "bad_credentials", "with the reason");
	is_number(last_reply.api_calls, 0, "and no call made");

	check_pause(5000);
	answer(503, "");
	is_text(last_reason, "token_unavailable", "a login server that is down");
	is_number(last_reply.class, REPLY_BLOCKED, "blocks the server");
	for (int pause = 10000; pause < 60000; pause *= 2)
	{
		check_pause(pause);
		answer(503, "");
	}
	check_pause(60000);
	answer(503, "");
	check_pause(60000);

	configure("open", NULL, NULL, 3);
	call("open", "a");
	ok(sends(1, "/a"), "another server does not wait for it");
	answer_with_token("finally");
	ok(sends(1, "Bearer finally"), "and all is well when it answers");
	answer(200, FOUND);
	answer(200, FOUND);
	is_number(last_reply.class, REPLY_DONE, "again");

	now_ms += 90000;
	call("s", "a");
	answer(503, "");
	configure("s", "https://login", "changed meanwhile", 8);
	call("s", "b");
	is_number(server_queues_wait_ms(now_ms, 60000), 1000, "other credentials are tried at once");
	now_ms += 1000;
	server_queues_run(now_ms);
	answer_with_token("other");
	answer(200, FOUND);
	configure("s", "https://login", "secret", 8);
	is_number(last_reply.class, REPLY_DONE, "and may be the cure");
}

static void
test_new_credentials(void)
{
	now_ms += 100000;
	replies = 0;
	call("s", "a");
	configure("s", "https://login", "secret", 9);
	configure("s", "https://login", "changed", 9);
	answer_with_token("stale");
	is_number(sent_count, 0, "a token for old credentials is not used");
	now_ms += 1000;
	server_queues_run(now_ms);
	answer_with_token("fresh");
	ok(sends(0, "Bearer fresh"), "but one for the new");
	configure("s", "https://login", "changed again", 9);
	answer(200, FOUND);
	is_number(replies, 1, "a call on the wire survives a change");
	call("s", "b");
	ok(!sends(0, "Bearer"), "but its token does not");
	now_ms += 1000;
	server_queues_run(now_ms);
	answer_with_token("last");
	answer(200, FOUND);
	is_number(replies, 2, "all are answered");
}

static void
test_unknown_dialect(void)
{
	ServerMessage message = {
		.name = "s", .dialect = "smoke_signals", .api_url = "https://api",
		.timeout_ms = 1, .connect_timeout_ms = 1, .max_in_flight = 1,
	};

	now_ms += 1000;
	configure("s", "https://login", "other", 1);
	call("s", "waits");
	replies = 0;
	server_queues_configure(&message);
	is_number(replies, 1, "what waits is answered");
	is_text(last_reason, "unknown_dialect", "unknown dialect");
	call_with("s", STEP_CHECK, "a", true);
	is_number(last_reply.class, REPLY_BLOCKED, "nor can it be shown");
	answer_with_token("too late");
	is_number(sent_count, 0, "nothing is sent");
}

static void
look(const char *id, const char *body)
{
	configure("open", NULL, NULL, 2);
	call("open", id);
	answer(200, body);
}

static void
test_identity(void)
{
	look("abc", "{\"id\":\"abc\",\"status\":\"active\"}");
	is_number(last_reply.class, REPLY_DONE, "the conversation that was asked about");
	look("abc", "{\"id\":\"ABC\",\"status\":\"active\"}");
	is_number(last_reply.class, REPLY_DONE, "written in another way");
	look("abc", "{\"id\":42,\"status\":\"active\"}");
	is_number(last_reply.class, REPLY_DONE, "or without an id");
	look("abc", "{\"id\":\"abd\",\"status\":\"active\",\"from\":{\"address\":\"+1\"}}");
	is_number(last_reply.class, REPLY_NOT_APPLIED, "another conversation is no answer");
	is_text(last_reason, "other_conversation", "which has a name");
	is_number(last_reply.http_status, 200, "and a status");
	ok(!last_reply.live && last_reply.status == NULL && last_reply.customer_address == NULL,
	   "and nothing is learnt from it");
}

static void
test_render(void)
{
	configure("shown", "https://login", NULL, 1);
	call_with("shown", STEP_NOTIFY, "a", true);
	ok(strstr(rendered_headers, "Authorization: Bearer ***") != NULL, "a token is only hinted at");
	ok(strstr(rendered_headers, "Idempotency-Key: n-1-notify") != NULL, "the key is shown");
	is_number(sent_count, 0, "nothing is sent");
}

/* The courier has not sent it, and says so. */
static bool
came_back(int count)
{
	return replies == count && last_reply.too_late == 1 && last_reply.api_calls == 0 && last_reply.called_at == 0;
}

static void
test_last_word(void)
{
	replies = 0;
	configure("near", NULL, NULL, 1);
	call("near", "on-the-wire");
	leave_by_ms = now_ms + 900;
	call("near", "look");
	call_with("near", STEP_NOTIFY, "message", false);
	is_number(server_queues_wait_ms(now_ms, 60000), 900, "what has to leave is looked at in time");
	now_ms += 899;
	server_queues_run(now_ms);
	is_number(replies, 0, "until then it waits for its turn");
	now_ms += 1;
	server_queues_run(now_ms);
	ok(came_back(2), "and then it comes back, unsent");
	is_number(last_reply.class, REPLY_NOT_APPLIED, "without an effect");
	leave_by_ms = now_ms + 900;
	call("near", "look");
	call_with("near", STEP_NOTIFY, "message", false);
	answer(200, FOUND);
	ok(sends(0, "/message"), "a message goes before all looks");
	is_number(sent[0].request.leave_by_ms, leave_by_ms, "and is told until when");
	answer(200, FOUND);
	is_number(sent[0].request.leave_by_ms, 0, "a look that is begun may take its time");
	answer(200, FOUND);

	call("near", "on-the-wire");
	replies = 0;
	call_with("near", STEP_NOTIFY, "message", false);
	api_url = "https://elsewhere";
	configure("near", NULL, NULL, 1);
	ok(came_back(1), "what was allowed at one API is not sent to another");
	api_url = "https://api";
	answer(200, FOUND);
	leave_by_ms = 0;
}

/* 60 a minute: three at first, then one a second. */
static void
test_room_for_message(void)
{
	max_requests_per_minute = 60;
	configure("paced", NULL, NULL, 8);
	max_requests_per_minute = 0;
	replies = 0;
	for (int i = 0; i < 4; i++)
		call("paced", (const char *[]) {"a", "b", "c", "d"}[i]);
	is_number(sent_count, 1, "one look goes, although there is room for three requests");
	answer(200, FOUND);
	call_with("paced", STEP_NOTIFY, "a", false);
	ok(sent_count == 1 && sends(0, "/a/"), "so that its message need not wait");
	answer(200, FOUND);
	now_ms += 2100;
	server_queues_run(now_ms);
	ok(sent_count == 1 && sends(0, "/b"), "the next look has to");
	answer(200, FOUND);
	for (int i = 0; i < 30 && replies < 5; i++)
	{
		now_ms += 1010;
		server_queues_run(now_ms);
		while (sent_count > 0)
			answer(200, FOUND);
	}
	is_number(replies, 5, "looks that no message follows hold up nobody for long");
}

static void
test_forgotten(void)
{
	int			before;

	configure("gone", "https://login", "s", 5);
	before = connections;
	call("gone", "a");
	is_number(sent_count, 1, "a token is asked for");
	server_queues_forget("gone");
	server_queues_run(now_ms);
	is_number(connections, before, "a server that was dropped is kept while something of it is on the wire");
	answer_with_token("t");
	replies = 0;
	answer(200, FOUND);
	is_number(replies, 1, "its call is made and answered");
	server_queues_run(now_ms);
	is_number(connections, before - 6, "and nothing is kept of it");
	call("gone", "b");
	ok(sent_count == 0 && strcmp(last_reason, "unknown_server") == 0, "it is known no more");
	configure("gone", NULL, NULL, 5);
	server_queues_forget("gone");
	configure("gone", NULL, NULL, 5);
	server_queues_run(now_ms);
	is_number(connections, before, "one that is there again stays");
	server_queues_forget("gone");
	server_queues_forget("never there");
	server_queues_run(now_ms);
	is_number(connections, before - 6, "until it is dropped once more");
}

int
main(void)
{
	test_refusals();
	test_slots_and_order();
	test_limit();
	test_token();
	test_renewal();
	test_refused_token();
	test_short_lived_tokens();
	test_login_failures();
	test_new_credentials();
	test_unknown_dialect();
	test_identity();
	test_render();
	test_last_word();
	test_room_for_message();
	test_forgotten();
	return done_testing();
}
