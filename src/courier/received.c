/*
 * received.c: what has arrived of a reply, as much of it as is worth keeping.
 */
#include "received.h"

#include <string.h>

/* APIs have a few kB of them; more is not read. */
#define HEADERS_MAX (64 * 1024)

/* Of all bodies that are kept now. */
static size_t bodies_length;

static bool
keep(FrameBuffer *buffer, const char *data, size_t size)
{
	if (size == 0)
		return true;
	if (!frame_buffer_reserve(buffer, size))
		return false;
	memcpy(buffer->data + buffer->length, data, size);
	buffer->length += size;
	return true;
}

/*
 * Interim responses (1xx) come first, with headers of their own, which are not
 * kept; but they count, or there could be endlessly many.
 */
bool
received_header(Received *received, const char *line, size_t size)
{
	if (size > HEADERS_MAX - received->header_bytes)
	{
		received->oversized = true;
		return false;
	}
	received->header_bytes += size;
	if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
	{
		frame_buffer_discard(&received->headers, received->headers.length);
		received->headers_end = false;
	}
	else if (size > 0 && (line[0] == '\n' || (size == 2 && memcmp(line, "\r\n", 2) == 0)))
		received->headers_end = true;
	return keep(&received->headers, line, size);
}

bool
received_body(Received *received, const char *data, size_t size)
{
	size_t		body_max = received->body_max > 0 ? received->body_max : REPLY_USUAL_MAX;

	if (size > body_max - received->body.length || size > REPLIES_MAX - bodies_length)
	{
		received->oversized = true;
		return false;
	}
	if (!keep(&received->body, data, size))
		return false;
	bodies_length += size;
	return true;
}

const char *
received_text(const FrameBuffer *buffer)
{
	return buffer->length > 0 ? (const char *) buffer->data : "";
}

void
received_free(Received *received)
{
	bodies_length -= received->body.length;
	frame_buffer_free(&received->headers);
	frame_buffer_free(&received->body);
}
