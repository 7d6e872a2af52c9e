/*
 * received.c: what has arrived of a reply, as much of it as is worth keeping.
 */
#include "received.h"

#include <string.h>

/* Replies of the APIs we know have a few kB of each; more is not read. */
#define BODY_MAX (256 * 1024)
#define HEADERS_MAX (64 * 1024)

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
		frame_buffer_discard(&received->headers, received->headers.length);
	return keep(&received->headers, line, size);
}

bool
received_body(Received *received, const char *data, size_t size)
{
	if (size > BODY_MAX - received->body.length)
	{
		received->oversized = true;
		return false;
	}
	return keep(&received->body, data, size);
}

const char *
received_text(const FrameBuffer *buffer)
{
	return buffer->length > 0 ? (const char *) buffer->data : "";
}

void
received_free(Received *received)
{
	frame_buffer_free(&received->headers);
	frame_buffer_free(&received->body);
}
