/*
 * hold_list.h: what a due nudge may wait for besides its time.
 *
 * HOLD(symbol, code, words): "code" is due.hold, by which the schedule is asked
 * and its rows are let go; "words" are for people, in due.hold_reason, and NULL
 * where only who holds it can tell.  The constraint due_hold_check of the
 * extension's script lists the same codes.
 *
 * No include guard: who includes it defines HOLD() first, to make of each row
 * what is wanted.
 */
HOLD(POLICY, "policy", NULL)	/* quiet hours or a gap; by the wall clock, until policies change */
HOLD(DOUBT, "doubt", "an earlier create on this conversation is in doubt")	/* until resolve() */
HOLD(SERVER, "server", "the API refuses calls like this one")	/* until one gets through */
HOLD(RATE_LIMIT, "rate_limit", NULL)	/* said to all calls; no attempt is used up */
HOLD(RETRY, "retry", NULL)		/* a call failed, and is made again */
HOLD(CONNECTION, "connection", "a connection to the API takes longer than a message may wait")
HOLD(BUSY, "busy", "the customer is being served on another channel")
HOLD(CUSTOMER, "customer", "another nudge to this customer is under way")
HOLD(UNRESOLVED_CUSTOMER, "unresolved_customer", "another nudge's call to this customer is unresolved")
HOLD(UNRESOLVED_THREAD, "unresolved_thread", "the call of another nudge of this thread is unresolved")
HOLD(SUPERSEDED, "superseded", "another conversation follows this one by now")
HOLD(RECORDING, "recording", "an opt-out, an answer or a cancellation is being recorded")
HOLD(STANDBY, "standby", "the synchronous standby")
