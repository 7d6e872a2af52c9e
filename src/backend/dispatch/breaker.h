/*
 * breaker.h: the circuit breaker of a server: what keeps it from being called as
 * usual, and what ends that.
 *
 *   closed ──▶ open, until a time ──▶ half open: one nudge at a time ──▶ closed
 *                    ▲                        │ again
 *                    └────────────────────────┘
 *
 * While it is open, none of the server's nudges is begun and no POST made;
 * its nudges stay due.  Everybody is told the reason; what the API said of
 * somebody's call, and to whom, is for operators.
 */
#ifndef REENGAGE_BREAKER_H
#define REENGAGE_BREAKER_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/clocks.h"
#include "blame.h"
#include "store/store.h"

typedef enum BreakerCause
{
	BREAKER_CLOSED,
	BREAKER_REFUSED,			/* the API refuses a kind of call to our client */
	BREAKER_UNUSABLE,			/* it cannot be called: credentials, login, certificate */
	BREAKER_FAILING,			/* too many calls in a row failed */
	BREAKER_RESTING				/* the API said "not now" */
} BreakerCause;

/* All zero but for "context": there is none, and nothing is known. */
typedef struct Breaker
{
	MemoryContext context;		/* of the texts */
	BreakerCause cause;
	Step		step;			/* the kind of call that it is about: a success of it is the cure */
	char	   *reason;			/* for everybody */
	char	   *detail;			/* for operators; NULL: there is no more to say */
	Monotonic	until;			/* it is left alone until then */
	int64		pause_ms;
	int			failures;		/* calls in a row that the API did not answer, or with 5xx */
	Blame		blame;			/* of refusals */

	/* a refusal that was one nudge's own, as far as anybody knows: it ended so */
	Step		notice_step;
	char	   *notice;			/* NULL: there is none */
	char	   *notice_detail;

	bool		changed;		/* is to be written down */
	bool		release;		/* what was put off for it is due again */
	char	   *said;			/* in the log; NULL: that all is well */
} Breaker;

extern bool breaker_is_open(const Breaker *breaker, Monotonic now);

/* Until when, as the wall clock shows it. */
extern TimestampTz breaker_shows_until(const Breaker *breaker);

/* One nudge at a time. */
extern bool breaker_is_half_open(const Breaker *breaker);

/* REFUSED or UNUSABLE. */
extern void breaker_block(Breaker *breaker, BreakerCause cause, Step step, const char *reason,
						  const char *detail, Monotonic now);

/* The API said "not now" to a call of this step, for so long, a day at most; -1, 0: it did not say. */
extern void breaker_rest(Breaker *breaker, Step step, int64 asked_ms, const char *reason, Monotonic now);

/* A call failed; that many in a row are one too many (0: never). */
extern void breaker_note_failure(Breaker *breaker, int most, const char *reason, Monotonic now);

/* The API answered a call of this step, be it with a refusal. */
extern void breaker_note_answer(Breaker *breaker, Step step, Monotonic now);

/* A call of this step succeeded. */
extern void breaker_note_success(Breaker *breaker, Step step, Monotonic now);

/* A nudge ended because a call of this step was refused to it alone. */
extern void breaker_notice(Breaker *breaker, Step step, const char *reason, const char *detail);

/* Other options, or other credentials, may end what the server was blocked for. */
extern void breaker_forget(Breaker *breaker);
extern void breaker_try_again(Breaker *breaker);

/* What an engine before this one wrote down. */
extern void breaker_inherit(Breaker *breaker, const ServerStateRow *row, const Clocks *clocks);

extern ServerStateRow breaker_row(const Breaker *breaker);

/* Says in the log what has changed: that it has opened as WARNING, that it has closed as LOG. */
extern void breaker_say(Breaker *breaker, const char *server);

#endif
