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
#define STEP(symbol, name) case STEP_##symbol: return name;
		STEP_LIST(STEP)
#undef STEP
	}
	return "invalid";
}

const char *
reply_class_name(ReplyClass class)
{
	switch (class)
	{
#define REPLY(symbol, name) case REPLY_##symbol: return name;
		REPLY_LIST(REPLY)
#undef REPLY
	}
	return "invalid";
}

typedef enum Sent
{
	NOT_SENT,
	MAYBE_SENT,
	SENT
} Sent;

static const struct
{
	const char *name;
	Sent		sent;
}			outcomes[OUTCOME_COUNT] = {
#define OUTCOME(symbol, name, sent, to_do) [OUTCOME_##symbol] = {name, sent},
	OUTCOME_LIST(OUTCOME, OUTCOME_SKIP)
#undef OUTCOME
};

const char *
outcome_name(Outcome outcome)
{
	return outcome < OUTCOME_COUNT ? outcomes[outcome].name : "invalid";
}

int
outcome_has_effect(Outcome outcome)
{
	return outcome < OUTCOME_COUNT && outcomes[outcome].sent == SENT;
}

int
outcome_counts_as_sent(Outcome outcome)
{
	return outcome < OUTCOME_COUNT && outcomes[outcome].sent != NOT_SENT;
}

static int
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '.' || c == '_' || c == '~' || c == '-';
}

int
conversation_id_is_valid(const char *id)
{
	size_t		length = 0;

	while (is_unreserved(id[length]))
		length++;
	return length >= 1 && length <= CONVERSATION_ID_MAX && id[length] == '\0' &&
		strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}
