/*
 * nudge.c: the names of the vocabulary, and what a conversation id may be.
 */
#include "nudge.h"

#include <string.h>

const char *
step_name(Step step)
{
	switch (step)
	{
		case STEP_CHECK:
			return "check";
		case STEP_NOTIFY:
			return "notify";
		case STEP_CREATE:
			return "create";
	}
	return "invalid";
}

const char *
reply_class_name(ReplyClass class)
{
	switch (class)
	{
		case REPLY_DONE:
			return "done";
		case REPLY_NOT_FOUND:
			return "not_found";
		case REPLY_CLOSED:
			return "closed";
		case REPLY_REJECTED:
			return "rejected";
		case REPLY_NOT_APPLIED:
			return "not_applied";
		case REPLY_AMBIGUOUS:
			return "ambiguous";
		case REPLY_BLOCKED:
			return "blocked";
		case REPLY_OVERTAKEN:
			return "overtaken";
	}
	return "invalid";
}

const char *
outcome_name(Outcome outcome)
{
	switch (outcome)
	{
		case OUTCOME_NOTIFIED:
			return "notified";
		case OUTCOME_SESSION_CREATED:
			return "session_created";
		case OUTCOME_SESSION_CONTINUED:
			return "session_continued";
		case OUTCOME_SKIPPED_CLOSED:
			return "skipped_closed";
		case OUTCOME_REFUSED:
			return "refused";
		case OUTCOME_EXPIRED:
			return "expired";
		case OUTCOME_EXHAUSTED:
			return "exhausted";
		case OUTCOME_IN_DOUBT:
			return "in_doubt";
		case OUTCOME_ANSWERED:
			return "answered";
		case OUTCOME_SUPPRESSED:
			return "suppressed";
		case OUTCOME_CAPPED:
			return "capped";
		case OUTCOME_HELD_OUT:
			return "held_out";
	}
	return "invalid";
}

int
outcome_has_effect(Outcome outcome)
{
	return outcome == OUTCOME_NOTIFIED || outcome == OUTCOME_SESSION_CREATED ||
		outcome == OUTCOME_SESSION_CONTINUED;
}

int
conversation_id_is_valid(const char *id)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
	size_t		length = strlen(id);

	return length >= 1 && length <= CONVERSATION_ID_MAX &&
		strspn(id, alphabet) == length &&
		strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}
