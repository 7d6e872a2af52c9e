/*
 * answer.h: from when on what a customer writes is an answer.
 *
 * Times are microseconds of one epoch, which may have been read from different
 * clocks, and may have been cut to fewer digits.
 */
#ifndef REENGAGE_ANSWER_H
#define REENGAGE_ANSWER_H

#include <stdint.h>

/*
 * The last moment that a time which somebody gave may mean: one without a
 * fraction means its whole second, one to the millisecond its millisecond.
 */
extern int64_t answer_last_moment(int64_t given);

/*
 * How much later than ours another clock must show an answer, so that one which
 * is ahead makes no answer of the message because of which a nudge was asked
 * for.  A hundredth of the time since then, at most five seconds: who is asked
 * at once is seldom asked because of a message, and may answer at once.
 */
extern int64_t answer_clock_margin(int64_t asked_at, int64_t now);

#endif
