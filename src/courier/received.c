/*
 * received.c: what has arrived of a reply, as much of it as is worth keeping.
 */
#include "received.h"

#include <string.h>

#include "headers.h"

/* APIs have a few kB of them; more is not read. */
#define HEADERS_MAX (64 * 1024)

/* Of all bodies that are kept now. */
static size_t bodies_length;

static bool
keep_bytes(FrameBuffer *buffer, const char *data, size_t size)
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
	return keep_bytes(&received->headers, line, size);
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
	if (!keep_bytes(&received->body, data, size))
		return false;
	bodies_length += size;
	return true;
}

/* HTTP/2 says itself where a body ends. */
static bool
has_length(const char *headers, size_t length)
{
	char		value[64];

	return length < 7 || memcmp(headers, "HTTP/1.", 7) != 0 ||
		headers_find(headers, length, "Content-Length", value, sizeof(value)) ||
		headers_find(headers, length, "Transfer-Encoding", value, sizeof(value));
}

bool
received_seems_cut(const Received *received)
{
	const char *body = received_text(&received->body);
	size_t		length = received->body.length;

	while (length > 0 && strchr(" \t\r\n", body[length - 1]) != NULL)
		length--;
	if (length == 0 || memchr("{[", body[0], 2) == NULL || has_length(received_text(&received->headers), received->headers.length))
		return false;
	return body[length - 1] != (body[0] == '{' ? '}' : ']');
}

const char *
received_text(const FrameBuffer *buffer)
{
	return buffer->length > 0 ? (const char *) buffer->data : "";
}

/* Of headers and of a body; most replies have less. */
#define KEPT_MAX (8 * 1024)

void
received_clear(Received *received)
{
	Received	kept = {.headers = received->headers, .body = received->body};

	if (kept.headers.capacity > KEPT_MAX || kept.body.capacity > KEPT_MAX)
	{
		received_free(received);
		return;
	}
	bodies_length -= kept.body.length;
	frame_buffer_discard(&kept.headers, kept.headers.length);
	frame_buffer_discard(&kept.body, kept.body.length);
	*received = kept;
}

void
received_free(Received *received)
{
	bodies_length -= received->body.length;
	frame_buffer_free(&received->headers);
	frame_buffer_free(&received->body);
	*received = (Received) {0};
}
