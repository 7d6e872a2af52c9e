/*
 * answers.h: what an API answers, for the tests of those that read it.
 */
#ifndef TEST_ANSWERS_H
#define TEST_ANSWERS_H

#include <string.h>

#include "exchange.h"

/* A whole answer without headers of interest. */
static inline HttpResponse
whole_answer(int status, const char *body)
{
	return (HttpResponse) {
		.status = status, .sent = true, .complete = true, .detail = "",
		.retry_after_ms = -1, .headers = "", .body = body, .body_length = strlen(body),
	};
}

/* One that broke off, with a status or without one. */
static inline HttpResponse
broken_answer(int status, const char *failure)
{
	return (HttpResponse) {
		.status = status, .sent = true, .failure = failure, .detail = "it broke",
		.retry_after_ms = -1, .headers = "", .body = "",
	};
}

#endif
