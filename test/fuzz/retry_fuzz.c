/*
 * retry_fuzz.c: whatever an API writes into Retry-After, with the reader of
 * dates that the courier uses, the pause that follows is one to live with.
 *
 * Input: one byte is the attempt, four the clock; then headers.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common -Isrc/courier
 *     test/fuzz/retry_fuzz.c src/courier/headers.c src/common/retry.c -lcurl
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "headers.h"
#include "retry.h"

#define HEAD 5
#define DAY_MS (24 * 60 * 60 * 1000)

/* Not inlined, so that the stack of a crash says which one failed. */
static void __attribute__((noinline))
check(bool holds)
{
	if (!holds)
		abort();
}

/* What the courier gives to the reader of headers. */
static time_t
read_date(const char *text)
{
	return curl_getdate(text, NULL);
}

/* The pause is never before what was asked for, and never longer than a day and its jitter. */
static void
check_delay(int attempt, int64_t asked_ms)
{
	int64_t		shortest = retry_delay_ms(attempt, asked_ms, 0);
	int64_t		longest = retry_delay_ms(attempt, asked_ms, 0.999);

	check(shortest >= 0 && shortest <= longest);
	check(asked_ms < 0 || shortest == asked_ms);
	check(longest <= (asked_ms < 0 ? RETRY_CAP_MS : DAY_MS + 1000));
}

/* However a limited answer says it, in its headers or in words. */
static void
check_rest(const char *text, size_t size, uint32_t clock)
{
	static const int statuses[] = {200, 429, 503};
	int64_t		words_ms = words_rest_ms(text, size);

	check(words_ms == -1 || (words_ms >= 1000 && words_ms <= DAY_MS));
	for (int i = 0; i < 3; i++)
	{
		int64_t		rest_ms = headers_rest_ms(text, size, statuses[i], (time_t) clock, read_date);

		check(rest_ms >= -1 && rest_ms <= DAY_MS);
		check(statuses[i] == 200 || rest_ms == -1 || rest_ms >= 1000);
	}
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *headers = (const char *) data + HEAD;
	uint32_t	clock;
	int64_t		asked_ms;
	char		value[16];

	if (size < HEAD)
		return 0;
	memcpy(&clock, data + 1, sizeof(clock));
	asked_ms = headers_retry_after_ms(headers, size - HEAD, (time_t) clock, read_date);
	check(asked_ms >= -1 && asked_ms <= DAY_MS);
	check_rest(headers, size - HEAD, clock);
	if (headers_find(headers, size - HEAD, "Retry-After", value, sizeof(value)))
		check(strlen(value) < sizeof(value));
	else
		check(value[0] == '\0');
	check_delay(data[0], asked_ms);
	return 0;
}
