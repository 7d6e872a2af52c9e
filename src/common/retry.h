/*
 * retry.h: how long to wait before the next attempt.
 */
#ifndef REENGAGE_RETRY_H
#define REENGAGE_RETRY_H

#include <stdint.h>

/* Longest wait that we choose ourselves: ten minutes. */
#define RETRY_CAP_MS (10 * 60 * 1000)

/* Longest wait that the API can make us take: a day. */
#define RETRY_AFTER_CAP_MS (24 * 60 * 60 * 1000)

/*
 * Milliseconds until the attempt after "attempt" (counted from 1):
 * exponential from one second, capped, with full jitter ("random" in [0, 1)),
 * and never before the API's own Retry-After (-1: it did not say), up to a day.
 */
extern int64_t retry_delay_ms(int attempt, int64_t retry_after_ms, double random);

/*
 * How long after the end of a server's rest a nudge comes back that was put
 * back so often: up to a second, then two, up to a minute.
 */
extern int64_t spread_delay_ms(int times, double random);

/* The n-th, from 1 on, of pauses that double from "first" to "longest". */
extern int64_t nth_pause_ms(int64_t n, int64_t first_ms, int64_t longest_ms);

/* The one that follows "pause_ms"; 0: there was none yet. */
extern int64_t next_pause_ms(int64_t pause_ms, int64_t first_ms, int64_t longest_ms);

/* Between looks at a customer who is busy: a minute, which doubles to a quarter of an hour. */
extern int64_t busy_delay_ms(int attempt);

/* The shortest such pause, right before the nudge expires. */
#define BUSY_LEAST_MS INT64_C(5000)

#endif
