/*
 * delivery.c: handing an answer to libmicrohttpd, whole or damaged.
 */
#include "delivery.h"

#include <string.h>

#include "pauses.h"
#include "report.h"
#include "settings.h"

/* Size of the blocks in which libmicrohttpd asks for a generated body. */
#define BLOCK_SIZE (32 * 1024)

/* A dripping body grows at most this often; finer steps would only cost wake-ups. */
#define DRIPS_PER_SECOND 50

#define HUGE_OPENING "{\"padding\":\""
#define HUGE_CLOSING "\"}"

static ssize_t
drip(void *context, uint64_t position, char *block, size_t size)
{
	Connection *connection = context;
	Answer	   *answer = &connection->answer;
	int64_t		now = monotonic_us();
	size_t		count = answer->amount / DRIPS_PER_SECOND;

	if (now < connection->next_drip_us)
		return pause_until(connection, connection->next_drip_us) ?
			0 : MHD_CONTENT_READER_END_WITH_ERROR;

	if (count == 0)
		count = 1;
	if (count > size)
		count = size;
	if (count > answer->body->bpos - position)
		count = answer->body->bpos - position;
	memcpy(block, answer->body->buf + position, count);
	connection->next_drip_us = now + (int64_t) count * 1000000 / answer->amount;
	return count;
}

static ssize_t
truncated(void *context, uint64_t position, char *block, size_t size)
{
	Answer	   *answer = &((Connection *) context)->answer;
	size_t		end = answer->body->bpos / 2;
	size_t		count = end - position;

	if (position >= end)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (count > size)
		count = size;
	memcpy(block, answer->body->buf + position, count);
	return count;
}

static char
huge_byte(uint64_t position, uint64_t total)
{
	const uint64_t closing = strlen(HUGE_CLOSING);

	if (position < strlen(HUGE_OPENING))
		return HUGE_OPENING[position];
	if (position + closing >= total)
		return HUGE_CLOSING[position + closing - total];
	return 'x';
}

static ssize_t
huge(void *context, uint64_t position, char *block, size_t size)
{
	uint64_t	total = ((Connection *) context)->answer.amount;
	size_t		count = size;

	if (position >= total)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (count > total - position)
		count = total - position;
	for (size_t i = 0; i < count; i++)
		block[i] = huge_byte(position + i, total);
	return count;
}

/*
 * The body is given by reference: it stays as it is until the connection's
 * next request, and that one is not looked at before this answer has left.
 */
static struct MHD_Response *
make_response(Connection *connection)
{
	Answer	   *answer = &connection->answer;
	struct Report *report = answer->report;

	switch (answer->delivery)
	{
		case DELIVER_DRIPPING:
			connection->next_drip_us = 0;
			return MHD_create_response_from_callback(answer->body->bpos, BLOCK_SIZE,
													 drip, connection, NULL);
		case DELIVER_TRUNCATED:
			return MHD_create_response_from_callback(answer->body->bpos, BLOCK_SIZE,
													 truncated, connection, NULL);
		case DELIVER_HUGE:
			return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE,
													 huge, connection, NULL);
		case DELIVER_REPORT:
			answer->report = NULL;
			return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE,
													 report_read, report, report_free);
		default:
			return MHD_create_response_from_buffer(answer->body->bpos, answer->body->buf,
												   MHD_RESPMEM_PERSISTENT);
	}
}

enum MHD_Result
deliver(Connection *connection)
{
	Answer	   *answer = &connection->answer;
	struct MHD_Response *response;
	enum MHD_Result result;

	if (answer->delivery == DELIVER_CLOSE || answer->delivery == DELIVER_NEVER)
		return MHD_NO;

	response = make_response(connection);
	if (response == NULL)
		return MHD_NO;
	if (answer->content_type[0] != '\0')
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
	MHD_add_response_header(response, "ININ-Correlation-Id",
							connection->request.correlation_id);
	if (!settings.keep_alive)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (answer->header_name != NULL)
		MHD_add_response_header(response, answer->header_name, answer->header_value);
	result = MHD_queue_response(connection->handle, answer->status, response);
	MHD_destroy_response(response);
	return result;
}
