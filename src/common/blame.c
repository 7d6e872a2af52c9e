/*
 * blame.c: what refusals have in common.
 */
#include "blame.h"

#include <string.h>

static void
keep(char *target, size_t size, const char *text)
{
	size_t		length = text != NULL ? strlen(text) : 0;

	if (length >= size)
		length = size - 1;
	memcpy(target, text != NULL ? text : "", length);
	target[length] = '\0';
}

Culprit
culprit_of(const char *nudge_id, const char *conversation_id, const char *customer)
{
	Culprit		culprit;

	keep(culprit.nudge_id, sizeof(culprit.nudge_id), nudge_id);
	keep(culprit.conversation_id, sizeof(culprit.conversation_id), conversation_id);
	keep(culprit.customer, sizeof(culprit.customer), customer);
	return culprit;
}

/* A recipient who is refused is refused in all of their conversations. */
static bool
is_another(const Culprit *known, const Culprit *culprit)
{
	bool		same_customer = culprit->customer[0] != '\0' &&
		strcmp(culprit->customer, known->customer) == 0;

	return !same_customer && strcmp(culprit->conversation_id, known->conversation_id) != 0;
}

/* A clock that was set back says nothing about how long ago it was. */
static bool
is_trusted(const BlameOfStep *known, int64_t now)
{
	return known->succeeded && now >= known->succeeded_at &&
		now - known->succeeded_at < BLAME_TRUST_US;
}

bool
blame_refusal(Blame *blame, Step step, const Culprit *culprit, int64_t now)
{
	BlameOfStep *known = &blame->steps[step];

	if (known->first.conversation_id[0] == '\0')
		known->first = *culprit;
	else if (is_another(&known->first, culprit))
		known->shared = true;
	return known->shared && !is_trusted(known, now);
}

void
blame_inherit(Blame *blame, Step step)
{
	blame->steps[step].shared = true;
}

void
blame_success(Blame *blame, Step step, int64_t now)
{
	BlameOfStep *known = &blame->steps[step];

	memset(known, 0, sizeof(*known));
	known->succeeded = true;
	known->succeeded_at = now;
}
