/*
 * server_signal.c: is it the server's matter, or the nudge's?
 *
 * What the API says of a call may quote its message, so it goes to operators
 * only (Breaker.detail); everybody else is told the kind of call and the status.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "dispatch/server_signal.h"

/* The words with which the courier says that there is no token: see oauth.c. */
static bool
is_of_login(const ReplyMessage *reply)
{
	return reply->api_calls == 0 ||
		(reply->reason != NULL && (strcmp(reply->reason, "bad_credentials") == 0 ||
								   strcmp(reply->reason, "token_unavailable") == 0));
}

/* "Not now" is said to the client; other statuses are about one request. */
static bool
is_limited(const ReplyMessage *reply)
{
	bool		undone = reply->class == REPLY_NOT_APPLIED || reply->class == REPLY_BLOCKED;
	bool		says_when = reply->retry_after_ms >= 0;

	/* 0: the courier did not even ask */
	return undone && ((reply->http_status == 429 && (says_when || !is_of_login(reply))) ||
					  (reply->http_status == 503 && says_when) ||
					  (reply->http_status == 0 && says_when));
}

static bool
is_failure(const ReplyMessage *reply)
{
	return (reply->class == REPLY_NOT_APPLIED || reply->class == REPLY_AMBIGUOUS) &&
		reply->retry_after_ms < 0 && (reply->http_status == 0 || reply->http_status >= 500);
}

static const char *
word_of(Delivery *delivery, const ReplyMessage *reply)
{
	const char *word = delivery_keep_ascii(delivery, reply->reason);

	return word != NULL ? word : "no reason given";
}

static char *
refusal_in_words(Delivery *delivery, const ReplyMessage *reply)
{
	return psprintf("the API refused to %s (%s, HTTP status %d)", step_name(delivery->step),
					word_of(delivery, reply), (int) reply->http_status);
}

static Culprit
culprit_of_delivery(const Delivery *delivery)
{
	return culprit_of(DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&delivery->nudge_id))),
					  delivery->target, delivery->post.address_hash);
}

/* "nudge 018f... (conversation abc)" */
static char *
name_of(const Culprit *culprit)
{
	return psprintf("nudge %s (conversation %s)", culprit->nudge_id, culprit->conversation_id);
}

static char *
with_words_of_api(Delivery *delivery, const ReplyMessage *reply, char *detail)
{
	const char *said = delivery_keep_ascii(delivery, reply->error_message);

	return said != NULL ? psprintf("%s; the API said: %s", detail, said) : detail;
}

static ServerSignal
judge_refusal(Delivery *delivery, const ReplyMessage *reply, Monotonic now)
{
	Breaker    *breaker = &delivery->server->breaker;
	Culprit		culprit = culprit_of_delivery(delivery);
	const Culprit *first;
	char	   *detail;

	if (!blame_refusal(&breaker->blame, delivery->step, &culprit, now.us))
		return SIGNAL_NONE;
	first = blame_first(&breaker->blame, delivery->step);
	detail = first == NULL || strcmp(first->nudge_id, culprit.nudge_id) == 0 ?
		name_of(&culprit) : psprintf("%s, %s", name_of(first), name_of(&culprit));
	server_block(delivery->server, CIRCUIT_REFUSED, delivery->step, refusal_in_words(delivery, reply),
				 with_words_of_api(delivery, reply, detail), now);
	return SIGNAL_REFUSED;
}

/* What the network says names a certificate or an address, not anybody's call. */
static ServerSignal
judge_unusable(Delivery *delivery, const ReplyMessage *reply, Monotonic now)
{
	const char *word = word_of(delivery, reply);
	const char *said = delivery_keep_ascii(delivery, reply->error_message);
	bool		asked = reply->http_status != 0;
	char	   *what = asked ?
		psprintf("the login server gave no token (%s, HTTP status %d)", word, (int) reply->http_status) :
		psprintf("the API cannot be called (%s)%s%s", word, said ? ": " : "", said ? said : "");

	server_block(delivery->server, CIRCUIT_UNUSABLE, STEP_CHECK, what, asked ? said : NULL, now);
	return SIGNAL_UNUSABLE;
}

static ServerSignal
judge_rest(Delivery *delivery, const ReplyMessage *reply, Monotonic now)
{
	const char *who = is_of_login(reply) && reply->http_status != 0 ? "the login server" : "the API";
	/* what the courier holds back had been said to another call */
	const char *reason = reply->http_status == 0 ? psprintf("%s asked not to be called", who) :
		psprintf("%s asked not to be called (HTTP status %d)", who, (int) reply->http_status);
	Breaker    *breaker = &delivery->server->breaker;

	if (reply->http_status == 0 && breaker->circuit.cause == CIRCUIT_RESTING)
		reason = pstrdup(breaker->reason);
	breaker_rest(breaker, delivery->step, reply->retry_after_ms, reason, now);
	return SIGNAL_NOT_NOW;
}

ServerSignal
server_signal_of(Delivery *delivery, const ReplyMessage *reply, Monotonic now)
{
	Breaker    *breaker = &delivery->server->breaker;

	if (is_limited(reply))
		return judge_rest(delivery, reply, now);
	if (is_failure(reply))
		breaker_note_failure(breaker, delivery->server->options.max_failures, reply->reason, now);
	else if (reply->http_status != 0 && reply->api_calls > 0)
		breaker_note_answer(breaker, delivery->step, now);
	if (reply->class != REPLY_BLOCKED || reply->opted_out != 0)
		return SIGNAL_NONE;
	if (reply->http_status == 0 || is_of_login(reply))
		return judge_unusable(delivery, reply, now);
	return judge_refusal(delivery, reply, now);
}

void
server_signal_note_end(Delivery *delivery, const ReplyMessage *reply, const Decision *end)
{
	Culprit		culprit = culprit_of_delivery(delivery);

	if (end->outcome != OUTCOME_REFUSED || reply->class != REPLY_BLOCKED || reply->opted_out != 0)
		return;
	breaker_notice(&delivery->server->breaker, delivery->step, refusal_in_words(delivery, reply),
				   with_words_of_api(delivery, reply, name_of(&culprit)));
}
