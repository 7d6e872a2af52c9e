/*
 * verdict.c: is it the server's matter, or the nudge's?
 *
 * What the API says of a call may quote its message, so it goes to operators
 * only (Trouble.detail); everybody else is told the kind of call and the status.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "dispatch/verdict.h"

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
word_of(Flight *flight, const ReplyMessage *reply)
{
	const char *word = flight_keep_ascii(flight, reply->reason);

	return word != NULL ? word : "no reason given";
}

static char *
refusal_in_words(Flight *flight, const ReplyMessage *reply)
{
	return psprintf("the API refused to %s (%s, HTTP status %d)", step_name(flight->step),
					word_of(flight, reply), (int) reply->http_status);
}

static Culprit
culprit_of_flight(const Flight *flight)
{
	return culprit_of(DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&flight->nudge_id))),
					  flight->target, flight->post.customer);
}

/* "nudge 018f... (conversation abc)" */
static char *
name_of(const Culprit *culprit)
{
	return psprintf("nudge %s (conversation %s)", culprit->nudge_id, culprit->conversation_id);
}

static char *
with_words_of_api(Flight *flight, const ReplyMessage *reply, char *detail)
{
	const char *said = flight_keep_ascii(flight, reply->error_message);

	return said != NULL ? psprintf("%s; the API said: %s", detail, said) : detail;
}

static Verdict
judge_refusal(Flight *flight, const ReplyMessage *reply, Monotonic now)
{
	Trouble    *trouble = &flight->server->trouble;
	Culprit		culprit = culprit_of_flight(flight);
	const Culprit *first;
	char	   *detail;

	if (!blame_refusal(&trouble->blame, flight->step, &culprit, now.us))
		return VERDICT_NONE;
	first = blame_first(&trouble->blame, flight->step);
	detail = first == NULL || strcmp(first->nudge_id, culprit.nudge_id) == 0 ?
		name_of(&culprit) : psprintf("%s, %s", name_of(first), name_of(&culprit));
	server_block(flight->server, TROUBLE_REFUSED, flight->step, refusal_in_words(flight, reply),
				 with_words_of_api(flight, reply, detail), now);
	return VERDICT_REFUSED;
}

/* What the network says names a certificate or an address, not anybody's call. */
static Verdict
judge_unusable(Flight *flight, const ReplyMessage *reply, Monotonic now)
{
	const char *word = word_of(flight, reply);
	const char *said = flight_keep_ascii(flight, reply->error_message);
	bool		asked = reply->http_status != 0;
	char	   *what = asked ?
		psprintf("the login server gave no token (%s, HTTP status %d)", word, (int) reply->http_status) :
		psprintf("the API cannot be called (%s)%s%s", word, said ? ": " : "", said ? said : "");

	server_block(flight->server, TROUBLE_UNUSABLE, STEP_CHECK, what, asked ? said : NULL, now);
	return VERDICT_UNUSABLE;
}

static Verdict
judge_rest(Flight *flight, const ReplyMessage *reply, Monotonic now)
{
	const char *who = is_of_login(reply) && reply->http_status != 0 ? "the login server" : "the API";
	/* what the courier holds back had been said to another call */
	const char *reason = reply->http_status == 0 ? psprintf("%s asked not to be called", who) :
		psprintf("%s asked not to be called (HTTP status %d)", who, (int) reply->http_status);
	Trouble    *trouble = &flight->server->trouble;

	if (reply->http_status == 0 && trouble->kind == TROUBLE_RESTING)
		reason = pstrdup(trouble->reason);
	trouble_rest(trouble, flight->step, reply->retry_after_ms, reason, now);
	return VERDICT_NOT_NOW;
}

Verdict
verdict_of(Flight *flight, const ReplyMessage *reply, Monotonic now)
{
	Trouble    *trouble = &flight->server->trouble;

	if (is_limited(reply))
		return judge_rest(flight, reply, now);
	if (is_failure(reply))
		trouble_note_failure(trouble, flight->server->options.max_failures, reply->reason, now);
	else if (reply->http_status != 0 && reply->api_calls > 0)
		trouble_note_answer(trouble, flight->step, now);
	if (reply->class != REPLY_BLOCKED || reply->opted_out != 0)
		return VERDICT_NONE;
	if (reply->http_status == 0 || is_of_login(reply))
		return judge_unusable(flight, reply, now);
	return judge_refusal(flight, reply, now);
}

void
verdict_note_end(Flight *flight, const ReplyMessage *reply, const Decision *end)
{
	Culprit		culprit = culprit_of_flight(flight);

	if (end->outcome != OUTCOME_REFUSED || reply->class != REPLY_BLOCKED || reply->opted_out != 0)
		return;
	trouble_notice(&flight->server->trouble, flight->step, refusal_in_words(flight, reply),
				   with_words_of_api(flight, reply, name_of(&culprit)));
}
