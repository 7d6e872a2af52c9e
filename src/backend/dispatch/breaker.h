/*
 * breaker.h: the circuit breaker of a server, and what people are told of it.
 *
 * common/circuit.h has its rules.  While it is open, none of the server's nudges
 * is begun and no POST made; its nudges stay due.  Everybody is told the reason;
 * what the API said of somebody's call, and to whom, is for operators.
 */
#ifndef REENGAGE_BREAKER_H
#define REENGAGE_BREAKER_H

#include "postgres.h"

#include "base/clocks.h"
#include "blame.h"
#include "circuit.h"
#include "store/store.h"

/* All zero but for "context": there is none, and nothing is known. */
typedef struct Breaker
{
	MemoryContext context;		/* of the texts */
	Circuit		circuit;
	char	   *reason;			/* for everybody; NULL: it is closed */
	char	   *detail;			/* for operators; NULL: there is no more to say */
	Blame		blame;			/* of refusals */

	/* a refusal that was one nudge's own, as far as anybody knows: it ended so */
	Step		notice_step;
	char	   *notice;			/* NULL: there is none */
	char	   *notice_detail;

	bool		changed;		/* is to be written down */
	bool		release;		/* what was put off for it is due again */
	char	   *said;			/* in the log; NULL: that all is well */
} Breaker;

/* Until when, as the wall clock shows it. */
extern TimestampTz breaker_shows_until(const Breaker *breaker);

/* REFUSED or UNUSABLE. */
extern void breaker_block(Breaker *breaker, CircuitCause cause, Step step, const char *reason,
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
