/*
 * reply_fuzz.c: whatever an API answers, the courier makes facts of it that
 * are in range, printable, and safe to act on.
 *
 * Input: one byte chooses the reader and its dialect, two the status, one the flags; then
 * headers up to a NUL byte, then the body.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common -Isrc/courier
 *     test/fuzz/reply_fuzz.c src/common/*.c
 *     src/courier/{dialect*,refusal,complaint,opt_out,reading,exchange,oauth}.c
 *     src/courier/{json,skim,text,echo,contact,unescape,headers,memory,exit}.c -ljson-c
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dialect.h"
#include "headers.h"
#include "oauth.h"

#define NOW 1000000

/* Never NUL-terminated: a reader that goes one byte too far is caught. */
typedef struct Input
{
	uint8_t		reader;
	const Dialect *dialect;
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
	input->dialect = data[0] & 4 ? &dialect_genesys_cloud : &dialect_messaging;
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
check_printable(const char *text, size_t size)
{
	check(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		check(*text >= ' ' && *text <= '~');
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
check_word(const char *text, size_t size)
{
	check(memchr(text, '\0', size) != NULL);
	check(strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(text));
}

static void
check_address(const char *text)
{
	check(memchr(text, '\0', ADDRESS_SIZE) != NULL);
	for (; *text != '\0'; text++)
		check((unsigned char) *text >= ' ' && *text != 0x7F);
}

static void
check_failure(const Reading *reading)
{
	check(reading->class >= 0 && reading->class < REPLY_CLASS_COUNT);
	check_word(reading->reason, sizeof(reading->reason));
	check((reading->reason[0] == '\0') == (reading->class == REPLY_DONE));
	check(reading->retry_after_ms >= -1 && reading->retry_after_ms <= 86400000);
	check_printable(reading->error_code, sizeof(reading->error_code));
	check_printable(reading->error_message, sizeof(reading->error_message));
	check_printable(reading->correlation_id, sizeof(reading->correlation_id));
	check_no_secret(reading->error_code);
	check_no_secret(reading->error_message);
	check_no_secret(reading->correlation_id);
	check_no_echo(reading->error_code);
	check_no_echo(reading->error_message);
	check_no_echo(reading->correlation_id);
}

/* The promises that the rest of reengage builds on. */
static void
check_safety(const Dialect *dialect, Step step, const HttpResponse *response, const Reading *reading)
{
	bool		done = reading->class == REPLY_DONE;
	bool		success = response->status >= 200 && response->status <= 299;

	check(!done || success);
	check(step != STEP_CHECK || reading->class != REPLY_AMBIGUOUS);
	check(step == STEP_NOTIFY || reading->class != REPLY_CLOSED);
	check(step == STEP_CREATE || reading->class != REPLY_OVERTAKEN);
	check(!reading->live || (step == STEP_CHECK && done));
	check(!reading->busy || (step == STEP_CHECK && done && !reading->live));
	check(reading->last_inbound_at == 0 || (step == STEP_CHECK && reading->last_inbound_at > 0));
	check((reading->status[0] != '\0') ==
		  (step == STEP_CHECK && (done || strcmp(reading->reason, "channel_not_supported") == 0)));
	if (reading->conversation_id[0] != '\0')
	{
		check(success && conversation_id_is_valid(reading->conversation_id));
		check(step != STEP_NOTIFY || dialect == &dialect_genesys_cloud);
	}
	else
		check(!done || step != STEP_CREATE);

	/* Only a refusal of a message suppresses anybody. */
	check(!reading->opted_out || (step != STEP_CHECK && response->complete &&
								  reading->class == REPLY_REJECTED && strcmp(reading->reason, "opted_out") == 0));
	check(reading->message_id[0] == '\0' || (step != STEP_CHECK && success));

	/* A POST that the API may have acted on is never called harmless. */
	if (step != STEP_CHECK && reading->class == REPLY_NOT_APPLIED)
		check(!response->sent || (response->status >= 400 && response->status <= 499) ||
			  (response->status == 503 && response->retry_after_ms >= 0));
}

static void
read_as_reply(const Dialect *dialect, Step step, const HttpResponse *response)
{
	Reading		reading;

	dialect->read(step, response, &secrets, "muted,closed by guest,7", &reading);
	check_failure(&reading);
	check_safety(dialect, step, response, &reading);
	check_word(reading.status, sizeof(reading.status));
	check_word(reading.channel, sizeof(reading.channel));
	check_address(reading.customer_address);
	check_address(reading.business_address);
	check_printable(reading.message_id, sizeof(reading.message_id));
}

static void
read_as_token(const HttpResponse *response)
{
	Token		token = {0};
	Reading		reading;

	if (!oauth_read(response, &secrets, NOW, &token, &reading))
	{
		check(token.value == NULL);
		check_failure(&reading);
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
		read_as_reply(input.dialect, (Step) input.reader, &input.response);
	else
		read_as_token(&input.response);
	return 0;
}
