/*
 * frame.c: writing and reading frames.
 *
 * Both ends are ours, but the reader still believes nothing: the courier
 * handles hostile input, and a bug there must not reach the database.
 */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_HEADER 5
#define NUMBER_LENGTH 8

/* An empty buffer that was larger, for a burst, is given back. */
#define KEPT_MAX (1024 * 1024)

static void
write_uint32(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t) (value >> 24);
	to[1] = (uint8_t) (value >> 16);
	to[2] = (uint8_t) (value >> 8);
	to[3] = (uint8_t) value;
}

static uint32_t
read_uint32(const uint8_t *from)
{
	return ((uint32_t) from[0] << 24) | ((uint32_t) from[1] << 16) |
		((uint32_t) from[2] << 8) | from[3];
}

/* Secrets pass through these buffers, so what is given up is overwritten. */
static void
wipe_bytes(uint8_t *data, size_t length)
{
	/* a compiler that cannot know which function this is cannot leave it out */
	static void *(*const volatile set_bytes) (void *, int, size_t) = memset;

	set_bytes(data, 0, length);
}

bool
frame_buffer_reserve(FrameBuffer *buffer, size_t more)
{
	size_t		capacity = buffer->capacity ? buffer->capacity : 4096;
	uint8_t    *data;

	if (more <= buffer->capacity - buffer->length)
		return true;
	while (capacity - buffer->length < more)
		capacity *= 2;
	data = malloc(capacity);
	if (data == NULL)
		return false;
	if (buffer->length > 0)
		memcpy(data, buffer->data, buffer->length);
	if (buffer->data != NULL)
		wipe_bytes(buffer->data, buffer->length);
	free(buffer->data);
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

void
frame_buffer_discard(FrameBuffer *buffer, size_t count)
{
	size_t		rest = buffer->length - count;

	if (rest > 0)
		memmove(buffer->data, buffer->data + count, rest);
	if (buffer->data != NULL)
		wipe_bytes(buffer->data + rest, count);
	buffer->length = rest;
	if (rest == 0 && buffer->capacity > KEPT_MAX)
		frame_buffer_free(buffer);
}

void
frame_buffer_free(FrameBuffer *buffer)
{
	if (buffer->data != NULL)
		wipe_bytes(buffer->data, buffer->length);
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

void
frame_begin(FrameBuffer *buffer, uint8_t kind)
{
	buffer->start = buffer->length;
	buffer->failed = !frame_buffer_reserve(buffer, FRAME_HEADER);
	if (buffer->failed)
		return;
	buffer->data[buffer->start + 4] = kind;
	buffer->length += FRAME_HEADER;
}

static void
put_field(FrameBuffer *buffer, uint8_t tag, const void *bytes, size_t length)
{
	uint8_t    *field;

	if (buffer->failed || length > FRAME_MAX ||
		!frame_buffer_reserve(buffer, FIELD_HEADER + length))
	{
		buffer->failed = true;
		return;
	}
	field = buffer->data + buffer->length;
	field[0] = tag;
	write_uint32(field + 1, (uint32_t) length);
	memcpy(field + FIELD_HEADER, bytes, length);
	buffer->length += FIELD_HEADER + length;
}

void
frame_put_text(FrameBuffer *buffer, uint8_t tag, const char *text)
{
	put_field(buffer, tag, text, strlen(text) + 1);
}

void
frame_put_number(FrameBuffer *buffer, uint8_t tag, int64_t number)
{
	uint8_t		bytes[NUMBER_LENGTH];

	write_uint32(bytes, (uint32_t) ((uint64_t) number >> 32));
	write_uint32(bytes + 4, (uint32_t) (uint64_t) number);
	put_field(buffer, tag, bytes, sizeof(bytes));
}

size_t
frame_text_length(const char *text)
{
	return text != NULL ? FIELD_HEADER + strlen(text) + 1 : 0;
}

size_t
frame_number_length(void)
{
	return FIELD_HEADER + NUMBER_LENGTH;
}

bool
frame_end(FrameBuffer *buffer)
{
	size_t		body = buffer->length - buffer->start - 4;

	if (buffer->failed || body > FRAME_MAX)
	{
		wipe_bytes(buffer->data + buffer->start, buffer->length - buffer->start);
		buffer->length = buffer->start;
		return false;
	}
	write_uint32(buffer->data + buffer->start, (uint32_t) body);
	return true;
}

/* True when the fields exactly fill their space. */
static bool
fields_are_sound(const uint8_t *fields, size_t length)
{
	while (length > 0)
	{
		size_t		field;

		if (length < FIELD_HEADER)
			return false;
		field = read_uint32(fields + 1);
		if (field > length - FIELD_HEADER)
			return false;
		fields += FIELD_HEADER + field;
		length -= FIELD_HEADER + field;
	}
	return true;
}

FrameStatus
frame_next(const uint8_t *data, size_t length, Frame *frame)
{
	size_t		body;

	if (length < 4)
		return FRAME_INCOMPLETE;
	body = read_uint32(data);
	if (body < 1 || body > FRAME_MAX)
		return FRAME_MALFORMED;
	if (length - 4 < body)
		return FRAME_INCOMPLETE;
	frame->kind = data[4];
	frame->fields = data + FRAME_HEADER;
	frame->fields_length = body - 1;
	frame->total = 4 + body;
	return fields_are_sound(frame->fields, frame->fields_length) ?
		FRAME_COMPLETE : FRAME_MALFORMED;
}

/* The first field with this tag, or NULL.  The fields are known to be sound. */
static const uint8_t *
find_field(const Frame *frame, uint8_t tag, size_t *length)
{
	const uint8_t *field = frame->fields;
	const uint8_t *end = frame->fields + frame->fields_length;

	while (field < end)
	{
		*length = read_uint32(field + 1);
		if (field[0] == tag)
			return field + FIELD_HEADER;
		field += FIELD_HEADER + *length;
	}
	return NULL;
}

bool
frame_get_text(const Frame *frame, uint8_t tag, const char **text)
{
	size_t		length;
	const uint8_t *bytes = find_field(frame, tag, &length);

	if (bytes == NULL || length == 0 ||
		memchr(bytes, '\0', length) != bytes + length - 1)
		return false;
	*text = (const char *) bytes;
	return true;
}

bool
frame_get_number(const Frame *frame, uint8_t tag, int64_t *number)
{
	size_t		length;
	const uint8_t *bytes = find_field(frame, tag, &length);

	if (bytes == NULL || length != NUMBER_LENGTH)
		return false;
	*number = (int64_t) (((uint64_t) read_uint32(bytes) << 32) | read_uint32(bytes + 4));
	return true;
}
