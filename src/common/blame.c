/*
 * blame.c: what refusals have in common.
 */
#include "blame.h"

#include <string.h>

static void
copy_text(char *target, size_t size, const char *text)
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

	copy_text(culprit.nudge_id, sizeof(culprit.nudge_id), nudge_id);
	copy_text(culprit.conversation_id, sizeof(culprit.conversation_id), conversation_id);
	copy_text(culprit.customer, sizeof(culprit.customer), customer);
	return culprit;
}

/* A recipient who is refused is refused in all of their conversations. */
static bool
is_the_same(const Culprit *known, const Culprit *culprit)
{
	return strcmp(culprit->conversation_id, known->conversation_id) == 0 ||
		(culprit->customer[0] != '\0' && strcmp(culprit->customer, known->customer) == 0);
}

static bool
are_among(const Culprits *known, const Culprit *culprit)
{
	for (int i = 0; i < known->count; i++)
		if (is_the_same(&known->list[i], culprit))
			return true;
	return false;
}

static void
add_culprit(Culprits *known, const Culprit *culprit)
{
	if (are_among(known, culprit))
		return;
	known->list[known->next] = *culprit;
	known->next = (known->next + 1) % CULPRITS_MAX;
	if (known->count < CULPRITS_MAX)
		known->count++;
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

	if (!are_among(&known->guilty, culprit))
		add_culprit(&known->witnesses, culprit);
	known->shared |= known->witnesses.count > 1;
	return known->shared && !is_trusted(known, now);
}

const Culprit *
blame_first(const Blame *blame, Step step)
{
	const Culprits *witnesses = &blame->steps[step].witnesses;

	/* once it is full, the one that comes next is the oldest */
	return witnesses->count == 0 ? NULL :
		&witnesses->list[witnesses->count < CULPRITS_MAX ? 0 : witnesses->next];
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

	for (int i = 0; i < known->witnesses.count; i++)
		add_culprit(&known->guilty, &known->witnesses.list[i]);
	known->witnesses.count = known->witnesses.next = 0;
	known->shared = false;
	known->succeeded = true;
	known->succeeded_at = now;
}
