/*
 * message_test.c: every message arrives with all of its fields, or not at all.
 */
#include "message_fields.h"
#include "tap.h"

/* Aligned room for any message. */
typedef union Message
{
	char		bytes[MAX_MESSAGE_SIZE];
	int64_t		number;
	const char *text;
} Message;

static char values[MAX_FIELDS][32];

static int
count_fields(const MessageType *type)
{
	int			count = 0;

	while (type->fields[count].name != NULL)
		count++;
	return count;
}

/* Every field its own value, so that no two can be mixed up; the enums stand where it is in range. */
static void
fill(const MessageType *type, Message *message, bool with_nulls)
{
	memset(message, 0, sizeof(*message));
	for (int i = 0; type->fields[i].name != NULL; i++)
	{
		const MessageField *field = &type->fields[i];

		snprintf(values[i], sizeof(values[i]), "%s \xc3\xa9 %d", field->name, i);
		if (field->kind == A_NUMBER)
			*number_field(message, field) = i;
		else if (field->kind == A_TEXT || !with_nulls)
			*text_field(message, field) = values[i];
	}
}

/* Puts, finds and gets a message; the bytes are to be freed. */
static uint8_t *
pass(const MessageType *type, const Message *message, Message *received, bool *arrived)
{
	FrameBuffer buffer = {0};
	Frame		frame;
	uint8_t    *bytes;

	*arrived = false;
	if (!type->put(&buffer, message))
		return NULL;
	bytes = exact_copy(buffer.data, buffer.length);
	*arrived = frame_next(bytes, buffer.length, &frame) == FRAME_COMPLETE &&
		frame.kind == type->kind && frame.total == buffer.length && type->get(&frame, received);
	frame_buffer_free(&buffer);
	return bytes;
}

static void
test_round_trip(const MessageType *type, bool with_nulls)
{
	Message		message;
	Message		received;
	bool		arrived;
	uint8_t    *bytes;

	fill(type, &message, with_nulls);
	memset(&received, 0xff, sizeof(received));
	bytes = pass(type, &message, &received, &arrived);
	if (ok(arrived, "%s arrives %s", type->name, with_nulls ? "with NULLs" : "with all of its fields"))
		is_text(first_difference(type, &message, &received), NULL, "every field as it was sent");
	free(bytes);
}

static void
test_extremes(const MessageType *type)
{
	static const int64_t numbers[] = {INT64_MIN, -1, INT64_MAX};

	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
		for (int i = 0; type->fields[i].name != NULL; i++)
		{
			const MessageField *field = &type->fields[i];
			bool		ranged = strcmp(field->name, "step") == 0 ||
				strcmp(field->name, "class") == 0 || strcmp(field->name, "http_status") == 0;
			Message		message;
			Message		received;
			bool		arrived;
			uint8_t    *bytes;

			if (field->kind != A_NUMBER || strcmp(field->name, "retry_after_ms") == 0)
				continue;
			fill(type, &message, false);
			*number_field(&message, field) = numbers[n];
			bytes = pass(type, &message, &received, &arrived);
			ok(ranged ? !arrived : arrived && *number_field(&received, field) == numbers[n],
			   "%s.%s = %" PRId64 " %s", type->name, field->name, numbers[n],
			   ranged ? "is refused" : "arrives");
			free(bytes);
		}
}

/* Writes a message field by field, but leaves one out, or gives it another shape. */
static void
write_without(FrameBuffer *buffer, const MessageType *type, Message *message, int without,
			  void (*instead) (FrameBuffer *, uint8_t tag))
{
	frame_begin(buffer, (uint8_t) type->kind);
	for (int i = 0; type->fields[i].name != NULL; i++)
	{
		const MessageField *field = &type->fields[i];
		uint8_t		tag = (uint8_t) (i + 1);

		if (i == without)
		{
			if (instead != NULL)
				instead(buffer, tag);
		}
		else if (field->kind == A_NUMBER)
			frame_put_number(buffer, tag, *number_field(message, field));
		else
			frame_put_text(buffer, tag, *text_field(message, field));
	}
	ok(frame_end(buffer), "a frame is made by hand");
}

/* Neither a text nor a number. */
static void
put_other_shape(FrameBuffer *buffer, uint8_t tag)
{
	static const uint8_t header[] = {0, 0, 0, 3};

	if (!frame_buffer_reserve(buffer, 8))
		abort();
	buffer->data[buffer->length] = tag;
	memcpy(buffer->data + buffer->length + 1, header, 4);
	memcpy(buffer->data + buffer->length + 5, "abc", 3);
	buffer->length += 8;
}

static void
test_missing(const MessageType *type)
{
	int			count = count_fields(type);

	for (int i = 0; i < 2 * count; i++)
	{
		const MessageField *field = &type->fields[i % count];
		bool		other_shape = i >= count;
		bool		optional = field->kind == A_TEXT_OR_NULL;
		FrameBuffer buffer = {0};
		Message		message;
		Message		received;
		Frame		frame;
		bool		arrived;

		fill(type, &message, false);
		write_without(&buffer, type, &message, i % count, other_shape ? put_other_shape : NULL);
		arrived = frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE &&
			type->get(&frame, &received);
		ok(arrived == optional && (!optional || *text_field(&received, field) == NULL),
		   "%s %s %s: %s", type->name, other_shape ? "with an unreadable" : "without",
		   field->name, optional ? "it is NULL" : "refused");
		frame_buffer_free(&buffer);
	}
}

/* A newer sender's fields do not disturb; order does not matter. */
static void
test_strange_order(const MessageType *type)
{
	FrameBuffer buffer = {0};
	Message		message;
	Message		received;
	Frame		frame;

	fill(type, &message, false);
	frame_begin(&buffer, (uint8_t) type->kind);
	frame_put_text(&buffer, 200, "unknown");
	for (int i = count_fields(type) - 1; i >= 0; i--)
	{
		if (type->fields[i].kind == A_NUMBER)
			frame_put_number(&buffer, (uint8_t) (i + 1), *number_field(&message, &type->fields[i]));
		else
			frame_put_text(&buffer, (uint8_t) (i + 1), *text_field(&message, &type->fields[i]));
	}
	ok(frame_end(&buffer) && frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE &&
	   type->get(&frame, &received) && first_difference(type, &message, &received) == NULL,
	   "%s backwards and with a field more", type->name);
	frame_buffer_free(&buffer);
}

static void
test_other_kinds(const MessageType *type)
{
	FrameBuffer buffer = {0};
	Message		message;
	Message		received;
	Frame		frame;
	int			taken = 0;

	fill(type, &message, false);
	ok(type->put(&buffer, &message), "%s is written", type->name);
	for (int kind = 0; kind < 256; kind++)
	{
		buffer.data[4] = (uint8_t) kind;
		if (frame_next(buffer.data, buffer.length, &frame) != FRAME_COMPLETE)
			abort();
		taken += type->get(&frame, &received);
	}
	is_number(taken, 1, "and is read as its own kind only");
	frame_buffer_free(&buffer);
}

static void
test_empty_frame(const MessageType *type)
{
	uint8_t		bytes[] = {0, 0, 0, 1, (uint8_t) type->kind};
	Frame		frame;
	Message		received;

	ok(frame_next(bytes, sizeof(bytes), &frame) == FRAME_COMPLETE && !type->get(&frame, &received),
	   "%s with no field is refused", type->name);
}

/* What is sent to the courier is asked before; of others nobody asks. */
static bool
says_to_fit(const MessageType *type, const Message *message)
{
	FrameBuffer buffer = {0};
	bool		fits = type->put(&buffer, message);

	if (type->kind == MESSAGE_SERVER)
		fits = message_server_fits((const ServerMessage *) message);
	else if (type->kind == MESSAGE_CALL)
		fits = message_call_fits((const CallMessage *) message);
	frame_buffer_free(&buffer);
	return fits;
}

/* The longest text that one field of a message may have beside its other fields. */
static void
test_huge_text(const MessageType *type)
{
	int			last = count_fields(type) - 1;
	FrameBuffer buffer = {0};
	Message		message;
	Message		received;
	size_t		longest;
	char	   *text;
	bool		arrived;
	uint8_t    *bytes;

	while (type->fields[last].kind == A_NUMBER)
		last--;
	fill(type, &message, false);
	*text_field(&message, &type->fields[last]) = "";
	ok(type->put(&buffer, &message), "%s with one text empty", type->name);
	longest = FRAME_MAX + 4 - buffer.length;
	frame_buffer_free(&buffer);

	text = malloc(longest + 2);
	memset(text, 'x', longest + 1);
	text[longest] = '\0';
	*text_field(&message, &type->fields[last]) = text;
	bytes = pass(type, &message, &received, &arrived);
	ok(arrived && says_to_fit(type, &message) && first_difference(type, &message, &received) == NULL,
	   "%s.%s may fill the frame", type->name, type->fields[last].name);
	free(bytes);

	text[longest] = 'x';
	text[longest + 1] = '\0';
	ok(!type->put(&buffer, &message) && buffer.length == 0 && !says_to_fit(type, &message),
	   "%s.%s may not pass it, and leaves nothing behind", type->name, type->fields[last].name);
	frame_buffer_free(&buffer);
	free(text);
}

typedef struct RangeCase
{
	int			type;
	const char *field;
	int64_t		number;
	bool		taken;
} RangeCase;

static const RangeCase range_cases[] = {
	{2, "step", STEP_CHECK, true},
	{2, "step", STEP_CREATE, true},
	{2, "step", STEP_COUNT, false},
	{2, "step", -1, false},
	{2, "step", INT64_C(1) << 32, false},
	{3, "class", REPLY_DONE, true},
	{3, "class", REPLY_BLOCKED, true},
	{3, "class", REPLY_CLASS_COUNT, false},
	{3, "class", -1, false},
	{3, "class", (INT64_C(1) << 32) + 1, false},
	{3, "http_status", 0, true},
	{3, "http_status", 200, true},
	{3, "http_status", 999, true},
	{3, "http_status", 1000, false},
	{3, "http_status", -1, false},
	{3, "retry_after_ms", -1, true},
	{3, "retry_after_ms", 0, true},
	{3, "retry_after_ms", 86400000, true},
};

static void
test_ranges(void)
{
	for (size_t i = 0; i < sizeof(range_cases) / sizeof(range_cases[0]); i++)
	{
		const RangeCase *c = &range_cases[i];
		const MessageType *type = &message_types[c->type];
		const MessageField *field = type->fields;
		Message		message;
		Message		received;
		bool		arrived;
		uint8_t    *bytes;

		while (strcmp(field->name, c->field) != 0)
			field++;
		fill(type, &message, false);
		*number_field(&message, field) = c->number;
		bytes = pass(type, &message, &received, &arrived);
		ok(arrived == c->taken && (!arrived || *number_field(&received, field) == c->number),
		   "%s.%s = %" PRId64 " is %s", type->name, c->field, c->number,
		   c->taken ? "taken" : "refused");
		free(bytes);
	}
}

/* All messages one behind the other, as they travel. */
static void
test_stream(void)
{
	FrameBuffer buffer = {0};
	Frame		frame;
	Message		message;
	Message		received;

	for (int i = 0; i < MESSAGE_TYPES; i++)
	{
		fill(&message_types[i], &message, i % 2 == 1);
		ok(message_types[i].put(&buffer, &message), "%s joins the stream", message_types[i].name);
	}
	for (int i = 0; i < MESSAGE_TYPES; i++)
	{
		fill(&message_types[i], &message, i % 2 == 1);
		ok(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE &&
		   message_types[i].get(&frame, &received) &&
		   first_difference(&message_types[i], &message, &received) == NULL,
		   "%s comes out of it", message_types[i].name);
		frame_buffer_discard(&buffer, frame.total);
	}
	is_number((int64_t) buffer.length, 0, "the stream is at its end");
	frame_buffer_free(&buffer);
}

static uint64_t
hash_byte(uint64_t hash, int byte)
{
	return (hash ^ (uint8_t) byte) * UINT64_C(0x100000001b3);
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = hash_byte(hash, *text);
	return hash;
}

/* The number that the two programs compare is of each field and word, in its place. */
static void
test_protocol(void)
{
	uint64_t	hash = hash_byte(UINT64_C(0xcbf29ce484222325), PROTOCOL_VERSION);

	for (int i = 0; i < MESSAGE_TYPES; i++)
	{
		hash = hash_byte(hash, (int) message_types[i].kind);
		for (const MessageField *field = message_types[i].fields; field->name != NULL; field++)
			hash = hash_text(hash_byte(hash, (int) field->kind), field->name);
	}
	for (int i = 0; i < STEP_COUNT; i++)
		hash = hash_text(hash_byte(hash, i), step_name((Step) i));
	for (int i = 0; i < REPLY_CLASS_COUNT; i++)
		hash = hash_text(hash_byte(hash, i), reply_class_name((ReplyClass) i));
	ok(message_protocol() == (int64_t) hash, "another field, another protocol");
}

int
main(void)
{
	test_protocol();
	for (int i = 0; i < MESSAGE_TYPES; i++)
	{
		const MessageType *type = &message_types[i];

		if (!ok(type->fields[MAX_FIELDS - 1].name == NULL && type->size <= MAX_MESSAGE_SIZE,
				"%s has room in these tests", type->name))
			return done_testing();
		test_round_trip(type, false);
		test_round_trip(type, true);
		test_extremes(type);
		test_missing(type);
		test_strange_order(type);
		test_other_kinds(type);
		test_empty_frame(type);
		test_huge_text(type);
	}
	test_ranges();
	test_stream();
	return done_testing();
}
