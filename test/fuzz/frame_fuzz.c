/*
 * frame_fuzz.c: whatever comes over the socketpair, in whatever pieces, it is
 * read in bounds, and a message that is taken means the same when sent on.
 *
 * Input: one byte chooses the size of the pieces; the rest is the stream.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common -Itest/lib
 *     test/fuzz/frame_fuzz.c src/common/{frame,message,nudge}.c
 */
#include <stdlib.h>
#include <string.h>

#include "message_fields.h"

typedef union Message
{
	char		bytes[MAX_MESSAGE_SIZE];
	int64_t		number;
	const char *text;
} Message;

/* Not inlined, so that the stack of a crash says which one failed. */
static void __attribute__((noinline))
check(bool holds)
{
	if (!holds)
		abort();
}

/* Text ends inside of its frame. */
static void
check_bounds(const MessageType *type, Message *message, const Frame *frame)
{
	const char *end = (const char *) frame->fields + frame->fields_length;

	for (const MessageField *field = type->fields; field->name != NULL; field++)
	{
		const char *text;

		if (field->kind == A_NUMBER)
			continue;
		text = *text_field(message, field);
		check(text != NULL || field->kind == A_TEXT_OR_NULL);
		if (text != NULL)
			check(text > (const char *) frame->fields && text < end &&
				  memchr(text, '\0', (size_t) (end - text)) != NULL);
	}
}

static void
check_enums(const MessageType *type, Message *message)
{
	const CallMessage *call = (const CallMessage *) message;
	const ReplyMessage *reply = (const ReplyMessage *) message;

	if (type->kind == MESSAGE_CALL)
		check(call->step >= 0 && call->step < STEP_COUNT);
	if (type->kind == MESSAGE_REPLY)
		check(reply->class >= 0 && reply->class < REPLY_CLASS_COUNT &&
			  reply->http_status >= 0 && reply->http_status < 1000);
}

/* What was taken is written again, and read as the same. */
static void
check_meaning(const MessageType *type, Message *message)
{
	FrameBuffer buffer = {0};
	Frame		frame;
	Message		again;

	check(type->put(&buffer, message));
	check(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE);
	check(frame.total == buffer.length);
	check(type->get(&frame, &again));
	check(first_difference(type, message, &again) == NULL);
	frame_buffer_free(&buffer);
}

static void
read_frame(const Frame *frame)
{
	int			taken = 0;

	for (int i = 0; i < MESSAGE_TYPES; i++)
	{
		const MessageType *type = &message_types[i];
		Message		message;

		memset(&message, 0xff, sizeof(message));
		if (!type->get(frame, &message))
			continue;
		taken++;
		check(frame->kind == type->kind);
		check_bounds(type, &message, frame);
		check_enums(type, &message);
		check_meaning(type, &message);
	}
	check(taken <= 1);
}

/* A complete frame is one in itself, and none without its last byte. */
static void
take_frame(const uint8_t *data, const Frame *found)
{
	uint8_t    *bytes = exact_copy(data, found->total);
	Frame		frame;

	check(frame_next(bytes, found->total, &frame) == FRAME_COMPLETE);
	check(frame.kind == found->kind && frame.total == found->total);
	check(frame.fields + frame.fields_length == bytes + frame.total);
	read_frame(&frame);
	check(frame_next(bytes, found->total - 1, &frame) == FRAME_INCOMPLETE);
	free(bytes);
}

/* Reads the stream in pieces; says how many bytes were frames, and how it ended. */
static FrameStatus
read_stream(const uint8_t *data, size_t size, size_t piece, size_t *used)
{
	FrameBuffer buffer = {0};
	FrameStatus status = FRAME_INCOMPLETE;

	*used = 0;
	while (size > 0 && status != FRAME_MALFORMED)
	{
		size_t		length = piece < size ? piece : size;
		Frame		frame;

		check(frame_buffer_reserve(&buffer, length));
		memcpy(buffer.data + buffer.length, data, length);
		buffer.length += length;
		data += length;
		size -= length;
		while ((status = frame_next(buffer.data, buffer.length, &frame)) == FRAME_COMPLETE)
		{
			take_frame(buffer.data, &frame);
			*used += frame.total;
			frame_buffer_discard(&buffer, frame.total);
		}
	}
	frame_buffer_free(&buffer);
	return status;
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t		in_pieces;
	size_t		at_once;
	FrameStatus status;

	if (size < 2)
		return 0;
	status = read_stream(data + 1, size - 1, (size_t) data[0] + 1, &in_pieces);
	check(read_stream(data + 1, size - 1, size, &at_once) == status);
	check(in_pieces == at_once);
	return 0;
}
