/*
 * nudge.h: the vocabulary that the database side and the HTTP side share.
 *
 * Nothing here, or anywhere in common/, knows PostgreSQL, libcurl, a clock,
 * randomness or I/O, so that the rules can be tested without any of them.
 */
#ifndef REENGAGE_NUDGE_H
#define REENGAGE_NUDGE_H

#include "outcome_list.h"

/* The three things a messaging API is asked to do. */
#define STEP_LIST(STEP) \
	STEP(CHECK, "check") /* GET the status of the thread's tip */ \
	STEP(NOTIFY, "notify") /* POST a notification into a live conversation */ \
	STEP(CREATE, "create") /* POST a new session that follows a closed one */

/* What the courier can say about a call: docs/architecture.md, "Outcome classes". */
#define REPLY_LIST(REPLY) \
	REPLY(DONE, "done") /* it took effect, or the facts are readable */ \
	REPLY(NOT_FOUND, "not_found") /* the API does not know the conversation */ \
	REPLY(CLOSED, "closed") /* a notify was refused because it is closed */ \
	REPLY(REJECTED, "rejected") /* the API says never */ \
	REPLY(NOT_APPLIED, "not_applied") /* certainly without effect: may be repeated */ \
	REPLY(AMBIGUOUS, "ambiguous") /* may or may not have taken effect */ \
	REPLY(BLOCKED, "blocked") /* our client may not call at all */ \
	REPLY(OVERTAKEN, "overtaken") /* a create was refused because a conversation is live */

typedef enum Step
{
#define STEP(symbol, name) STEP_##symbol,
	STEP_LIST(STEP)
#undef STEP
} Step;

typedef enum ReplyClass
{
#define REPLY(symbol, name) REPLY_##symbol,
	REPLY_LIST(REPLY)
#undef REPLY
} ReplyClass;

/* Beside the enums, so that a switch need not name them. */
#define NUDGE_COUNT_ONE(symbol, name) + 1
#define STEP_COUNT (STEP_LIST(NUDGE_COUNT_ONE))
#define REPLY_CLASS_COUNT (REPLY_LIST(NUDGE_COUNT_ONE))

/* How the engine ends a nudge: see outcome_list.h. */
typedef enum Outcome
{
#define OUTCOME(symbol, name, sent, to_do) OUTCOME_##symbol,
	OUTCOME_LIST(OUTCOME, OUTCOME_SKIP)
#undef OUTCOME
	OUTCOME_COUNT
} Outcome;

/* Those before it may follow from a reply; this and the others follow from none. */
#define OUTCOME_OF_REPLY_COUNT OUTCOME_SUPPRESSED

/*
 * Longest conversation id.  Ids come from a caller or from an API and are
 * put into a URL path and an index, so both ends hold them to this.
 */
#define CONVERSATION_ID_MAX 128

/* From 0, the most urgent, on. */
#define PRIORITY_COUNT 10

/* The longest id of a message that is kept; the API's, so it is only shown. */
#define MESSAGE_ID_MAX 128

/* Names as they stand in SQL, logs and idempotency keys. */
extern const char *step_name(Step step);
extern const char *reply_class_name(ReplyClass class);
extern const char *outcome_name(Outcome outcome);

/* True for the outcomes that say that the customer was spoken to. */
extern int	outcome_has_effect(Outcome outcome);

/* True for these, and where it is in doubt: as caps and gaps count them. */
extern int	outcome_counts_as_sent(Outcome outcome);

/*
 * True for 1 to 128 characters out of [A-Za-z0-9._~-] that are not "." or
 * "..": such an id is one path segment whatever a URL library does to it
 * (libcurl removes dot segments even when they are percent-encoded).
 */
extern int	conversation_id_is_valid(const char *id);

#endif
