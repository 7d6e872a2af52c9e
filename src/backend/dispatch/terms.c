/*
 * terms.c: from a nudge, its server and its POST to the terms of decide().
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "base/rows.h"
#include "dispatch/terms.h"

Recipient
repeatable_recipient(const ServerOptions *options, const Post *post)
{
	Recipient	stored = {
		.to_address = from_utf8(post->recipient.to_address),
		.from_address = from_utf8(post->recipient.from_address),
		.channel = post->recipient.channel,
	};
	bool		lost = post->recipient.from_address != NULL && stored.from_address == NULL;

	if (!options->honours_keys || stored.to_address == NULL || lost)
		memset(&stored, 0, sizeof(stored));
	return stored;
}

/* A create is the same only to the same recipient. */
static bool
is_repeatable(const ServerOptions *options, const Post *post)
{
	return options->honours_keys &&
		(post->step != STEP_CREATE || repeatable_recipient(options, post).to_address != NULL);
}

/*
 * The last moment at which a repetition still reaches the API before the end
 * of the key's life, however long the call takes.
 */
static TimestampTz
repeat_until(const ServerOptions *options, const Post *post)
{
	int64		lifetime_ms = options->key_lifetime_s * INT64CONST(1000) - longest_call_ms(options);

	if (post->since == 0)
		return DT_NOEND;
	return post->since + Max(lifetime_ms, 0) * 1000;
}

bool
answers_nudge(const LoadedNudge *nudge, TimestampTz answered_at)
{
	Terms		terms = {.answered_since = nudge->answered_since};

	return is_answer(&terms, answered_at);
}

Terms
terms_of(const LoadedNudge *nudge, const ServerOptions *options, const Post *post)
{
	Terms		terms = {
		.skip_when_closed = nudge->skip_when_closed,
		.attempt = nudge->attempt + 1,
		.max_attempts = options->max_attempts,
		.now = GetCurrentTimestamp(),
		.expires_at = nudge->expires_at,
		.answered_since = nudge->answered_since,
		.random = pg_prng_double(&pg_global_prng_state),
		.repeatable = is_repeatable(options, post),
		.repeat_until = repeat_until(options, post),
		.unresolved = nudge->unresolved,
		.made_at = nudge->made_at,
		.refusals = nudge->refusals,
		.times_put_back = nudge->fencing_token,
		.address = nudge->address,
		.channel = nudge->channel,
		.from_address = options->from_address,
		.senders = options->senders,
		.nsenders = options->nsenders,
		.senders_overrule = options->senders_overrule,
		.integrations_send = options->dialect->notifies_addresses,
		.proactive_channels = options->proactive_channels,
		.notify_is_addressed = options->dialect->notifies_addresses,
	};

	if (nudge->since_asked)
		terms.clock_margin = answer_clock_margin(nudge->answered_since, terms.now);
	return terms;
}

Terms
terms_of_delivery(const Delivery *delivery)
{
	Terms		terms = terms_of(&delivery->nudge, &delivery->server->options, &delivery->post);

	terms.rerouted = delivery->nposts > 1;
	terms.second_look = delivery->step == STEP_CHECK && delivery_is_elsewhere(delivery);
	if (delivery_is_elsewhere(delivery))
		terms.made_at = delivery->other_made_at;
	terms.rest_until = breaker_shows_until(&delivery->server->breaker);
	return terms;
}
