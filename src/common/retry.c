/*
 * retry.c: exponential backoff with full jitter.
 *
 * Full jitter spreads the load best when many nudges fail at once (Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
#include "retry.h"

#define RETRY_BASE_MS 1000

#define SPREAD_CAP_MS (60 * 1000)

#define BUSY_BASE_MS (60 * 1000)
#define BUSY_CAP_MS (15 * 60 * 1000)

int64_t
nth_pause_ms(int64_t n, int64_t first_ms, int64_t longest_ms)
{
	for (int64_t i = 1; i < n && first_ms < longest_ms; i++)
		first_ms *= 2;
	return first_ms < longest_ms ? first_ms : longest_ms;
}

int64_t
retry_delay_ms(int attempt, int64_t retry_after_ms, double random)
{
	int64_t		ceiling = nth_pause_ms(attempt, RETRY_BASE_MS, RETRY_CAP_MS);

	/*
	 * Nudges that were told the same Retry-After must not come back in one
	 * burst, so the jitter is added to it.
	 */
	if (retry_after_ms > RETRY_AFTER_CAP_MS)
		retry_after_ms = RETRY_AFTER_CAP_MS;
	if (retry_after_ms >= 0)
		return retry_after_ms + (int64_t) (random * RETRY_BASE_MS);
	return (int64_t) (random * (double) ceiling);
}

int64_t
spread_delay_ms(int times, double random)
{
	return (int64_t) (random * (double) nth_pause_ms((int64_t) times + 1, RETRY_BASE_MS, SPREAD_CAP_MS));
}

int64_t
next_pause_ms(int64_t pause_ms, int64_t first_ms, int64_t longest_ms)
{
	if (pause_ms <= 0)
		return first_ms;
	return nth_pause_ms(2, pause_ms, longest_ms);
}

int64_t
busy_delay_ms(int attempt)
{
	return nth_pause_ms(attempt, BUSY_BASE_MS, BUSY_CAP_MS);
}
