/*
 * decide_samples.h: an ordinary reply to an ordinary nudge, to be varied.
 */
#ifndef TEST_DECIDE_SAMPLES_H
#define TEST_DECIDE_SAMPLES_H

#include "decide.h"

#define NOW INT64_C(1000000000)
#define SECOND INT64_C(1000000)

static inline Facts
some_facts(ReplyClass class)
{
	return (Facts) {
		.class = class, .reason = "why", .retry_after_ms = -1, .channel = "sms",
		.customer_address = "+1customer", .business_address = "+1business",
		.of_server = class == REPLY_BLOCKED,
	};
}

static inline Terms
some_terms(void)
{
	return (Terms) {
		.attempt = 1, .max_attempts = 12, .now = NOW, .expires_at = INT64_MAX, .random = 0.5,
		.answered_since = INT64_MAX,
		.from_address = "+1server", .proactive_channels = "sms,whatsapp",
	};
}

#endif
