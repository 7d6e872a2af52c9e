/*
 * reply_fuzz.c: whatever an API answers, the courier makes facts of it that
 * are in range, printable, and safe to act on.
 *
 * Input: one byte chooses the reader and its dialect, by its row in dialect_list.h, two
 * the status, one the flags; then headers up to a NUL byte, then the body.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common -Isrc/courier -Itest/lib
 *     test/fuzz/reply_fuzz.c src/common/*.c
 *     src/courier/{dialect*,refusal,complaint,opt_out,reading,exchange,oauth}.c
 *     src/courier/{json,skim,text,echo,contact,unescape,headers,memory,exit}.c -ljson-c
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect.h"
#include "dialect_traits.h"
#include "headers.h"
#include "oauth.h"
#include "reading_promises.h"

#define NOW 1000000

/* Never NUL-terminated: a reader that goes one byte too far is caught. */
typedef struct Input
{
	uint8_t		reader;
	const DialectTraits *traits;
	HttpResponse response;
} Input;

#define MESSAGE "Penthesilea Zwkq, 77310452"
#define ESSENCE "penthesileazwkq77310452"

static const Secrets secrets = {.words = {"s3cret", "aWQ6czNjcmV0", "token-1"}, .told.texts = {MESSAGE}};

static void
check(bool holds)
{
	if (!holds)
		abort();
}

/* Stands in for libcurl's; any answer must do. */
static time_t
read_date(const char *text)
{
	return text[0] == 'M' ? -1 : (time_t) strlen(text) * 1000000;
}

static bool
read_input(const uint8_t *data, size_t size, Input *input)
{
	HttpResponse *response = &input->response;
	const uint8_t *nul;

	if (size < 5)
		return false;
	memset(input, 0, sizeof(*input));
	input->reader = data[0] % 4;
	input->traits = &dialect_traits[data[0] / 4 % DIALECT_COUNT];
	response->status = (data[1] << 8 | data[2]) % 1000;
	if (response->status < 200)
		response->status = 0;
	response->sent = (data[3] & 1) || response->status > 0;
	response->complete = (data[3] & 2) && response->status > 0;
	response->failure = response->complete ? NULL : "timeout";
	response->detail = "s3cret";
	response->headers = (const char *) data + 4;
	nul = memchr(data + 4, '\0', size - 4);
	response->headers_length = (nul != NULL ? (size_t) (nul - data) : size) - 4;
	response->body = response->headers + response->headers_length + (nul != NULL);
	response->body_length = (const char *) data + size - response->body;
	response->retry_after_ms = headers_retry_after_ms(response->headers,
													  response->headers_length, NOW, read_date);
	return true;
}

static void
check_no_secret(const char *text)
{
	for (int i = 0; i < SECRET_COUNT; i++)
		check(strstr(text, secrets.words[i]) == NULL);
}

/* No six letters or digits in a row that were told are left between the stars. */
static void
check_no_echo(const char *text)
{
	char		run[7] = "";
	size_t		length = 0;

	for (; *text != '\0'; text++)
	{
		if (*text == '*')
			length = 0;
		if (!isalnum((unsigned char) *text))
			continue;
		if (length == 6)
			memmove(run, run + 1, --length);
		run[length++] = (char) tolower((unsigned char) *text);
		run[length] = '\0';
		check(length < 6 || strstr(ESSENCE, run) == NULL);
	}
}

static void
check_promise(const char *broken)
{
	if (broken == NULL)
		return;
	fprintf(stderr, "broken: %s\n", broken);
	abort();
}

/* What the API says of a failure is shown to people. */
static void
check_shown(const Reading *reading)
{
	const char *const shown[] = {reading->error_code, reading->error_message, reading->correlation_id};

	for (int i = 0; i < 3; i++)
	{
		check_no_secret(shown[i]);
		check_no_echo(shown[i]);
	}
}

static void
read_as_reply(const Input *input, Step step)
{
	Reading		reading;

	dialect_find(input->traits->name)->read(step, &input->response, &secrets, "muted,closed by guest,7", &reading);
	check_promise(broken_promise(input->traits, step, &input->response, &reading));
	check_shown(&reading);
}

static void
read_as_token(const HttpResponse *response)
{
	Token		token = {0};
	Reading		reading;

	if (!oauth_read(response, &secrets, NOW, &token, &reading))
	{
		check(token.value == NULL);
		check_promise(broken_promise_of_verdict(&reading));
		check_shown(&reading);
		return;
	}
	check(response->status == 200 && response->complete);
	check(token_is_usable(&token, NOW));
	check(!token_is_usable(&token, NOW + 86400000));
	check(strpbrk(token.value, " \r\n\t") == NULL);
	token_drop(&token);
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input;

	if (!read_input(data, size, &input))
		return 0;
	if (input.reader < STEP_COUNT)
		read_as_reply(&input, (Step) input.reader);
	else
		read_as_token(&input.response);
	return 0;
}
