/*
 * decide.h: the rules of one nudge, as pure functions.
 *
 * decide() is total: for every step, every class of reply and any terms it
 * says what happens next.  Time and randomness are arguments, so a test needs
 * neither, and a model checker can search all of it.
 */
#ifndef REENGAGE_DECIDE_H
#define REENGAGE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "hold.h"
#include "nudge.h"

/* So many calls are refused to a nudge alone before it ends as refused. */
#define REFUSALS_MAX 4

/* For so long the API may not know yet what we have made: ten minutes. */
#define YOUNG_US (INT64_C(600) * 1000000)

/* The business side of new sessions on one channel. */
typedef struct Sender
{
	const char *channel;
	const char *address;
} Sender;

/* What is known of the nudge besides the reply.  Times: microseconds, any one clock. */
typedef struct Terms
{
	bool		skip_when_closed;	/* when_closed = 'skip': only live ones are spoken to */
	int			attempt;		/* the one that was just made, counted from 1 */
	int			max_attempts;
	int64_t		now;
	int64_t		expires_at;		/* INT64_MAX: never */
	double		random;			/* in [0, 1), for the jitter */
	int64_t		answered_since; /* what the customer writes after it is an answer; INT64_MAX: nothing is */
	int64_t		clock_margin;	/* so much after it, as the API's clock goes */

	/* whether the API honours idempotency keys, and what that is about here */
	bool		repeatable;		/* it does: the same call has its effect once */
	int64_t		repeat_until;	/* when it may have forgotten this call's key */
	bool		unresolved;		/* this call was made before, and may have had its effect */

	bool		second_look;	/* the check is of another conversation of the same customer */
	bool		rerouted;			/* an earlier POST of this attempt was refused for what the conversation had become */
	int64_t		made_at;		/* when we made the conversation that was called; 0: we did not */

	int			refusals;		/* earlier calls that were refused to it alone */
	int			times_put_back; /* for whatever reason */
	int64_t		rest_until;		/* the server is left alone until then; 0: it is not */

	/* the nudge's own words for where a new session goes; NULL when absent */
	const char *address;
	const char *channel;

	/* the server's */
	const char *from_address;	/* NULL when absent */
	const Sender *senders;		/* for some channels */
	int			nsenders;
	bool		senders_overrule;	/* the business side of the old conversation, too */
	bool		integrations_send;	/* on all channels but sms, and no conversation tells which */
	const char *proactive_channels; /* comma-separated */
	bool		notify_is_addressed;	/* the API notifies an address, not a conversation */
} Terms;

/* What came back.  Facts stay those of the check while later steps run. */
typedef struct Facts
{
	ReplyClass	class;
	const char *reason;			/* the courier's word for it, or NULL */
	int64_t		retry_after_ms; /* -1: the API did not say */
	bool		limited;		/* "not now", said to all of the server's calls */
	bool		of_server;		/* REPLY_BLOCKED: known to be our client's matter, not this nudge's */
	bool		opted_out;		/* refused, because the recipient wants no messages of ours */
	bool		live;
	int64_t		last_inbound_at;	/* when the customer last wrote, by the API's clock; 0: not told */
	bool		busy;			/* not live, but in use on a channel that we do not write to */
	const char *channel;		/* of the old conversation; NULL when unknown */
	const char *customer_address;
	const char *business_address;
	const char *customer_fault; /* why nothing can be sent to that customer; NULL: it can */
	const char *own_fault;		/* likewise, to the nudge's own address */
	bool		is_anothers;	/* a second look found another customer, or another business side */
	bool		same_conversation;	/* a POST answered an id that its thread knows */
	bool		elsewhere;		/* a notify answered another id than it was meant for */
} Facts;

typedef enum DecisionKind
{
	DECIDE_CALL,				/* make the call "step", after recording its intent */
	DECIDE_SETTLE,				/* the nudge ends with "outcome" and "reason" */
	DECIDE_RETRY,				/* due again at "retry_at", one attempt used */
	DECIDE_HOLD,				/* due again at "retry_at", no attempt used */
	DECIDE_BLOCK				/* the server is to be left alone; still due */
} DecisionKind;

typedef struct Decision
{
	DecisionKind kind;
	Step		step;
	Outcome		outcome;
	const char *reason;			/* one word, or NULL when the outcome says it all */
	Hold		hold;			/* RETRY, HOLD, BLOCK: what it waits for until then */
	const char *hold_reason;	/* in words; NULL: what "hold" and "reason" say */
	int64_t		retry_at;
	bool		refused;		/* RETRY: one more refusal that was to it alone */
	bool		unresolved;		/* RETRY, HOLD, BLOCK: to make the same call again, and no other */
} Decision;

/* Where a message goes.  Points into the terms and the facts. */
typedef struct Recipient
{
	const char *to_address;
	const char *from_address;	/* NULL: the API chooses */
	const char *channel;
} Recipient;

/* What follows after "step" was answered with "facts". */
extern Decision decide(Step step, const Facts *facts, const Terms *terms);

/* Whether what the customer wrote, by a clock that needs no margin, is an answer; 0: nothing. */
extern bool is_answer(const Terms *terms, int64_t wrote_at);

/* Whether a call may still be made; if it comes too late, how the nudge ends. */
extern bool may_call(const Terms *terms, Decision *end);

/*
 * Whom a create addresses: the customer of the old conversation with the
 * business side kept as sender, unless one of the channel overrules it; the
 * nudge's own address where that is not possible.  False, with the reason, when nobody can be addressed.
 */
extern bool choose_recipient(const Facts *facts, const Terms *terms,
							 Recipient *recipient, const char **reason);

/*
 * Whom a notify addresses, where the API notifies an address: the customer of
 * the live conversation, on its channel whatever that is; the nudge's own
 * address where the conversation does not tell.
 */
extern bool choose_notified(const Facts *facts, const Terms *terms,
							Recipient *recipient, const char **reason);

/* True when "item" is one of the comma-separated "list"; nothing is in NULL. */
extern bool list_contains(const char *list, const char *item);

#endif
