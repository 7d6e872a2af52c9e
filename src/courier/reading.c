/*
 * reading.c: what a reply means as far as HTTP alone tells.
 *
 * The question is always: can the request have had an effect?  A GET has
 * none, so all that is temporary may be repeated.  A POST may be repeated
 * only if it was certainly refused or never sent.
 */
#include "reading.h"

#include <stdio.h>
#include <string.h>

void
reading_init(Reading *reading, ReplyClass class, const char *reason)
{
	memset(reading, 0, sizeof(*reading));
	reading->retry_after_ms = -1;
	reading_set(reading, class, reason);
}

void
reading_set(Reading *reading, ReplyClass class, const char *reason)
{
	reading->class = class;
	snprintf(reading->reason, sizeof(reading->reason), "%s", reason);
}

bool
reading_set_conversation_id(Reading *reading, const char *id)
{
	if (id == NULL || !conversation_id_is_valid(id))
		return false;
	strcpy(reading->conversation_id, id);
	return true;
}

void
reading_set_message_id(Reading *reading, const char *id)
{
	size_t		length = id != NULL ? strlen(id) : 0;

	reading->message_id[0] = '\0';
	if (length >= MESSAGE_ID_SIZE)
		return;
	for (size_t i = 0; i < length; i++)
		if (id[i] <= ' ' || id[i] > '~')
			return;
	memcpy(reading->message_id, id != NULL ? id : "", length + 1);
}

static bool
is_success(int status)
{
	return status >= 200 && status <= 299;
}

static bool
is_redirect(int status)
{
	return status >= 300 && status <= 399;
}

/* Codes beyond 599 are not defined; clients treat them as 5xx (RFC 9110, 15). */
static bool
is_server_error(int status)
{
	return status >= 500;
}

/*
 * Of a GET and a POST alike: the request was not processed this time; the same
 * one may be, later.  What only a GET may repeat is in class_of_check().
 */
static bool
is_postponed(int status)
{
	return status == 407 ||		/* the proxy did not let it through */
		status == 425 ||		/* too early */
		status == 429;			/* too many */
}

typedef struct StatusWord
{
	int			status;
	const char *word;
} StatusWord;

static const StatusWord status_words[] = {
	{401, "unauthorized"},
	{403, "forbidden"},
	{404, "not_found"},
	{407, "proxy_failed"},
	{410, "not_found"},
	{429, "rate_limited"},
};

/* One word for why the API did not agree. */
static void
set_reason(Reading *reading, int status)
{
	for (size_t i = 0; i < sizeof(status_words) / sizeof(status_words[0]); i++)
		if (status_words[i].status == status)
		{
			reading_set(reading, reading->class, status_words[i].word);
			return;
		}
	if (is_redirect(status))
		reading_set(reading, reading->class, "redirect");
	else
		snprintf(reading->reason, sizeof(reading->reason), "http_%d", status);
}

static void
set_by_status(Reading *reading, ReplyClass class)
{
	reading_set(reading, class, "");
	if (class != REPLY_DONE)
		set_reason(reading, reading->http_status);
}

static ReplyClass
class_of_check(int status)
{
	if (is_success(status))
		return REPLY_DONE;
	if (status == 404 || status == 410)
		return REPLY_NOT_FOUND;
	if (status == 401 || status == 403)
		return REPLY_BLOCKED;
	if (is_server_error(status) || is_redirect(status) || is_postponed(status) ||
		status == 408)
		return REPLY_NOT_APPLIED;
	return REPLY_REJECTED;
}

/*
 * A redirect is not followed, so the POST had no effect: except with 303,
 * which is how a server says that it did what was asked and where to look.
 * Creating names no conversation in its URL, so there 404 finds none missing.
 */
static ReplyClass
class_of_post(Step step, int status, bool says_when_to_retry)
{
	if (is_success(status))
		return REPLY_DONE;
	if (is_postponed(status) || (status == 503 && says_when_to_retry))
		return REPLY_NOT_APPLIED;
	if (is_server_error(status) || status == 408 || status == 303)
		return REPLY_AMBIGUOUS;
	if (status == 401 || status == 403)
		return REPLY_BLOCKED;
	if (step == STEP_NOTIFY && (status == 404 || status == 410))
		return REPLY_NOT_FOUND;
	return REPLY_REJECTED;
}

/* The status alone does not tell what a 4xx refused; some do not need more. */
static bool
needs_its_body(int status)
{
	return status >= 400 && status <= 499 &&
		status != 401 && status != 408 && !is_postponed(status);
}

static void
judge_post(Reading *reading, Step step, const HttpResponse *response)
{
	int			status = response->status;

	if (status == 0)
		reading_set(reading, REPLY_AMBIGUOUS, response->failure);
	else if (!response->complete && needs_its_body(status))
		reading_set(reading, REPLY_NOT_APPLIED, "reply_cut");
	else
		set_by_status(reading, class_of_post(step, status, response->retry_after_ms >= 0));
}

void
reading_judge_unsent(Reading *reading, const char *failure)
{
	reading_set(reading, strcmp(failure, FAILURE_CERTIFICATE) == 0 ?
				REPLY_BLOCKED : REPLY_NOT_APPLIED, failure);
}

void
reading_judge(Reading *reading, Step step, const HttpResponse *response)
{
	reading_init(reading, REPLY_NOT_APPLIED, "");
	reading->http_status = response->status;
	reading->retry_after_ms = response->retry_after_ms;

	if (!response->sent)
		reading_judge_unsent(reading, response->failure);
	else if (step == STEP_CHECK && !response->complete)
		reading_set(reading, REPLY_NOT_APPLIED, response->failure);
	else if (step == STEP_CHECK)
		set_by_status(reading, class_of_check(response->status));
	else
		judge_post(reading, step, response);
}
