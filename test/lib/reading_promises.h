/*
 * reading_promises.h: what the rest of reengage builds on when a reply was read.
 *
 * The fuzzer asks it of whatever comes, a unit test of a few answers to each
 * dialect.  A promise that is broken is told in words; NULL: all are kept.
 */
#ifndef TEST_READING_PROMISES_H
#define TEST_READING_PROMISES_H

#include <string.h>

#include "dialect_traits.h"
#include "exchange.h"
#include "reading.h"

#define PROMISE(holds, words) \
	do { \
		if (!(holds)) \
			return (words); \
	} while (0)

#define LONGEST_RETRY_AFTER_MS 86400000

static inline bool
is_printable_text(const char *text, size_t size)
{
	if (memchr(text, '\0', size) == NULL)
		return false;
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static inline bool
is_word_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL &&
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(text);
}

static inline bool
is_address_text(const char *text)
{
	if (memchr(text, '\0', ADDRESS_SIZE) == NULL)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < ' ' || *text == 0x7F)
			return false;
	return true;
}

/* Of any reply, a login's, too. */
static inline const char *
broken_promise_of_verdict(const Reading *reading)
{
	/* a reading that nobody filled in may hold any number */
	PROMISE((unsigned) reading->class < REPLY_CLASS_COUNT, "the class is one of ReplyClass");
	PROMISE(is_word_text(reading->reason, sizeof(reading->reason)), "the reason is a word");
	PROMISE((reading->reason[0] == '\0') == (reading->class == REPLY_DONE), "what is not done has a reason, and only that");
	PROMISE(reading->retry_after_ms >= -1 && reading->retry_after_ms <= LONGEST_RETRY_AFTER_MS, "retry_after_ms is -1, or at most a day");
	PROMISE(is_printable_text(reading->error_code, sizeof(reading->error_code)), "error_code is printable ASCII");
	PROMISE(is_printable_text(reading->error_message, sizeof(reading->error_message)), "error_message is printable ASCII");
	PROMISE(is_printable_text(reading->correlation_id, sizeof(reading->correlation_id)), "correlation_id is printable ASCII");
	return NULL;
}

static inline const char *
broken_promise_of_texts(const Reading *reading)
{
	PROMISE(is_word_text(reading->status, sizeof(reading->status)), "the status is a word");
	PROMISE(is_word_text(reading->channel, sizeof(reading->channel)), "the channel is a word");
	PROMISE(is_address_text(reading->customer_address), "customer_address has no control characters");
	PROMISE(is_address_text(reading->business_address), "business_address has no control characters");
	PROMISE(is_printable_text(reading->message_id, sizeof(reading->message_id)), "message_id is printable ASCII");
	PROMISE(memchr(reading->conversation_id, '\0', sizeof(reading->conversation_id)) != NULL, "conversation_id ends");
	return NULL;
}

static inline const char *
broken_promise_of_check(const Reading *reading)
{
	bool		done = reading->class == REPLY_DONE;
	bool		has_no_channel = strcmp(reading->reason, "channel_not_supported") == 0;

	PROMISE(reading->class != REPLY_AMBIGUOUS, "a check is never in doubt");
	PROMISE((reading->status[0] != '\0') == (done || has_no_channel), "a check that is done has a status");
	PROMISE(done || (!reading->live && !reading->busy), "only a check that is done says live or busy");
	PROMISE(!reading->busy || !reading->live, "who is live is not busy");
	PROMISE(reading->last_inbound_at >= 0, "last_inbound_at is after 1970");
	PROMISE(!reading->opted_out, "a check tells of no opt-out");
	PROMISE(reading->message_id[0] == '\0', "a check tells of no message of ours");
	return NULL;
}

static inline const char *
broken_promise_of_post(const DialectTraits *traits, Step step, const HttpResponse *response, const Reading *reading)
{
	bool		is_refusal = response->status >= 400 && response->status <= 499;
	bool		is_put_off = response->status == 503 && response->retry_after_ms >= 0;

	PROMISE(!reading->live && !reading->busy && reading->status[0] == '\0' && reading->last_inbound_at == 0,
			"only a check says live, busy, a status or when the customer wrote");
	PROMISE(reading->class != REPLY_NOT_APPLIED || !response->sent || is_refusal || is_put_off,
			"a POST that the API may have acted on is never called harmless");
	PROMISE(reading->class != REPLY_DONE || step != STEP_CREATE || reading->conversation_id[0] != '\0',
			"a create that is done names its conversation");
	PROMISE(reading->conversation_id[0] == '\0' || step == STEP_CREATE || traits->notifies_addresses,
			"a notify names a conversation only where it was sent to an address");
	PROMISE(!reading->opted_out || (response->complete && reading->class == REPLY_REJECTED &&
									strcmp(reading->reason, "opted_out") == 0),
			"only a refusal that arrived whole, for that reason, is an opt-out");
	return NULL;
}

static inline const char *
broken_promise(const DialectTraits *traits, Step step, const HttpResponse *response, const Reading *reading)
{
	bool		success = response->status >= 200 && response->status <= 299;
	const char *broken = broken_promise_of_verdict(reading);

	if (broken == NULL)
		broken = broken_promise_of_texts(reading);
	if (broken != NULL)
		return broken;
	PROMISE(reading->http_status == response->status && reading->retry_after_ms == response->retry_after_ms,
			"http_status and retry_after_ms are the response's");
	PROMISE(reading->class != REPLY_DONE || success, "only a success is done");
	PROMISE(reading->class != REPLY_CLOSED || step == STEP_NOTIFY, "only a notify is refused as closed");
	PROMISE(reading->class != REPLY_OVERTAKEN || step == STEP_CREATE, "only a create is overtaken");
	PROMISE(reading->conversation_id[0] == '\0' || (success && conversation_id_is_valid(reading->conversation_id)),
			"a conversation is named by a success, and could be asked about");
	PROMISE(reading->message_id[0] == '\0' || success, "a message is named by a success");
	return step == STEP_CHECK ? broken_promise_of_check(reading) :
		broken_promise_of_post(traits, step, response, reading);
}

#endif
