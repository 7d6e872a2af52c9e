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

#endif
