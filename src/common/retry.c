/*
 * retry.c: exponential backoff with full jitter.
 *
 * Full jitter spreads the load best when many nudges fail at once (Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
#include "retry.h"

#define RETRY_BASE_MS 1000

int64_t
retry_delay_ms(int attempt, int64_t retry_after_ms, double random)
{
	int64_t		ceiling = RETRY_BASE_MS;

	for (int i = 1; i < attempt && ceiling < RETRY_CAP_MS; i++)
		ceiling *= 2;
	if (ceiling > RETRY_CAP_MS)
		ceiling = RETRY_CAP_MS;

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
