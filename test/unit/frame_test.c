/*
 * frame_test.c: frames are written, found and read; nothing else is believed.
 */
#include "message_fields.h"
#include "tap.h"

#define KIND 7
#define FIELD_HEADER 5

/* A buffer with one frame: a text (tag 1), a number (tag 2), an empty text (tag 3). */
static FrameBuffer
sample(void)
{
	FrameBuffer buffer = {0};

	frame_begin(&buffer, KIND);
	frame_put_text(&buffer, 1, "hello");
	frame_put_number(&buffer, 2, -42);
	frame_put_text(&buffer, 3, "");
	ok(frame_end(&buffer), "a frame is written");
	return buffer;
}

static void
test_round_trip(void)
{
	static const int64_t numbers[] = {0, 1, -1, 255, 256, INT64_C(1) << 31, INT64_C(1) << 32,
	-(INT64_C(1) << 32), INT64_MAX, INT64_MIN};
	FrameBuffer buffer = sample();
	Frame		frame;
	const char *text = NULL;
	int64_t		number = 0;

	is_number((int64_t) buffer.length, 5 + (5 + 6) + (5 + 8) + (5 + 1), "its length");
	ok(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE, "is complete");
	is_number(frame.kind, KIND, "its kind");
	is_number((int64_t) frame.total, (int64_t) buffer.length, "all of it is the frame");
	ok(frame_get_text(&frame, 1, &text), "a text");
	is_text(text, "hello", "as it was put");
	ok(frame_get_text(&frame, 3, &text), "an empty text");
	is_text(text, "", "is empty, not absent");
	ok(frame_get_number(&frame, 2, &number), "a number");
	is_number(number, -42, "as it was put");
	frame_buffer_free(&buffer);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		frame_begin(&buffer, KIND);
		frame_put_number(&buffer, 1, numbers[i]);
		ok(frame_end(&buffer) && frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE &&
		   frame_get_number(&frame, 1, &number) && number == numbers[i],
		   "number %" PRId64, numbers[i]);
		frame_buffer_discard(&buffer, buffer.length);
	}
	frame_buffer_free(&buffer);
}

static void
test_tags(void)
{
	FrameBuffer buffer = {0};
	Frame		frame;
	const char *text = "untouched";
	int64_t		number = 99;

	frame_begin(&buffer, KIND);
	frame_put_text(&buffer, 0, "zero");
	frame_put_text(&buffer, 255, "last");
	frame_put_text(&buffer, 9, "first");
	frame_put_text(&buffer, 9, "second");
	frame_put_text(&buffer, 8, "8 bytes");
	frame_put_number(&buffer, 10, 1);
	ok(frame_end(&buffer) && frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE,
	   "a frame of many tags");
	ok(!frame_get_text(&frame, 1, &text), "a tag that is missing is no text");
	is_text(text, "untouched", "and leaves the text alone");
	ok(!frame_get_number(&frame, 1, &number), "nor a number");
	is_number(number, 99, "and leaves the number alone");
	ok(frame_get_text(&frame, 0, &text) && strcmp(text, "zero") == 0, "tag 0");
	ok(frame_get_text(&frame, 255, &text) && strcmp(text, "last") == 0, "tag 255");
	ok(frame_get_text(&frame, 9, &text) && strcmp(text, "first") == 0, "of two, the first counts");
	ok(!frame_get_number(&frame, 9, &number), "a text is no number");
	ok(frame_get_number(&frame, 8, &number), "8 bytes are, for they say no type");
	ok(!frame_get_text(&frame, 10, &text), "a number is no text, if it has a NUL within");
	frame_buffer_free(&buffer);
}

/* Frames made by hand: bytes, and what is to be made of them. */
typedef struct RawCase
{
	const char *name;
	const char *bytes;
	size_t		length;
	FrameStatus status;
} RawCase;

#define RAW(name, bytes, status) {name, bytes, sizeof(bytes) - 1, status}

static const RawCase raw_cases[] = {
	RAW("nothing", "", FRAME_INCOMPLETE),
	RAW("one byte", "\0", FRAME_INCOMPLETE),
	RAW("three bytes of length", "\xff\xff\xff", FRAME_INCOMPLETE),
	RAW("length 0: not even a kind", "\0\0\0\0", FRAME_MALFORMED),
	RAW("length 0 and more", "\0\0\0\0\1", FRAME_MALFORMED),
	RAW("a kind alone", "\0\0\0\1\6", FRAME_COMPLETE),
	RAW("a kind to come", "\0\0\0\1", FRAME_INCOMPLETE),
	RAW("the longest, to come", "\x00\x10\x00\x00", FRAME_INCOMPLETE),
	RAW("one byte too long is known at once", "\x00\x10\x00\x01", FRAME_MALFORMED),
	RAW("far too long", "\xff\xff\xff\xff\1", FRAME_MALFORMED),
	RAW("the sign bit", "\x80\x00\x00\x01\1", FRAME_MALFORMED),
	RAW("a tag without a length", "\0\0\0\2\1\1", FRAME_MALFORMED),
	RAW("a field header that is cut", "\0\0\0\5\1\1\0\0\0", FRAME_MALFORMED),
	RAW("an empty field", "\0\0\0\6\1\1\0\0\0\0", FRAME_COMPLETE),
	RAW("a field one byte too long", "\0\0\0\6\1\1\0\0\0\1", FRAME_MALFORMED),
	RAW("a field far too long", "\0\0\0\6\1\1\xff\xff\xff\xff", FRAME_MALFORMED),
	RAW("a field that would wrap around", "\0\0\0\6\1\1\xff\xff\xff\xfb", FRAME_MALFORMED),
	RAW("a field that reaches into the next frame",
		"\0\0\0\6\1\1\0\0\0\1" "\0\0\0\1\6", FRAME_MALFORMED),
	RAW("a byte behind the last field", "\0\0\0\7\1\1\0\0\0\0x", FRAME_MALFORMED),
	RAW("a second field that is cut", "\0\0\0\x09\1\1\0\0\0\0\2\0\0", FRAME_MALFORMED),
	RAW("unknown kind, unknown tag", "\0\0\0\7\xff\xff\0\0\0\1x", FRAME_COMPLETE),
};

static void
test_raw(void)
{
	for (size_t i = 0; i < sizeof(raw_cases) / sizeof(raw_cases[0]); i++)
	{
		uint8_t    *bytes = exact_copy((const uint8_t *) raw_cases[i].bytes, raw_cases[i].length);
		Frame		frame;

		is_number(frame_next(bytes, raw_cases[i].length, &frame), raw_cases[i].status,
				  raw_cases[i].name);
		free(bytes);
	}
}

typedef struct TextCase
{
	const char *name;
	const char *bytes;			/* a frame with one field, tag 1 */
	size_t		length;
	const char *text;			/* NULL: it is none */
} TextCase;

#define FIELD(name, bytes, text) {name, bytes, sizeof(bytes) - 1, text}

static const TextCase text_cases[] = {
	FIELD("no bytes at all", "\0\0\0\6\1\1\0\0\0\0", NULL),
	FIELD("a NUL alone", "\0\0\0\7\1\1\0\0\0\1\0", ""),
	FIELD("text without a NUL", "\0\0\0\x09\1\1\0\0\0\3abc", NULL),
	FIELD("text with its NUL", "\0\0\0\x0a\1\1\0\0\0\4abc\0", "abc"),
	FIELD("text with a NUL within", "\0\0\0\x0a\1\1\0\0\0\4a\0c\0", NULL),
	FIELD("text with a NUL within and none at the end", "\0\0\0\x0a\1\1\0\0\0\4a\0bc", NULL),
	FIELD("two NULs", "\0\0\0\x08\1\1\0\0\0\2\0\0", NULL),
	FIELD("bytes that are no UTF-8", "\0\0\0\x08\1\1\0\0\0\2\xff\0", "\xff"),
};

static void
test_text(void)
{
	for (size_t i = 0; i < sizeof(text_cases) / sizeof(text_cases[0]); i++)
	{
		uint8_t    *bytes = exact_copy((const uint8_t *) text_cases[i].bytes, text_cases[i].length);
		Frame		frame;
		const char *text = NULL;

		ok(frame_next(bytes, text_cases[i].length, &frame) == FRAME_COMPLETE &&
		   frame_get_text(&frame, 1, &text) == (text_cases[i].text != NULL),
		   "%s", text_cases[i].name);
		is_text(text, text_cases[i].text, text_cases[i].name);
		free(bytes);
	}
}

/* A number has 8 bytes, no more and no fewer. */
static void
test_number_length(void)
{
	for (uint8_t length = 0; length <= 16; length++)
	{
		uint8_t		bytes[4 + 1 + FIELD_HEADER + 16] = {0, 0, 0, (uint8_t) (1 + FIELD_HEADER + length),
		KIND, 1, 0, 0, 0, length};
		Frame		frame;
		int64_t		number;

		ok(frame_next(bytes, 4u + 1 + FIELD_HEADER + length, &frame) == FRAME_COMPLETE &&
		   frame_get_number(&frame, 1, &number) == (length == 8),
		   "%d bytes are %s number", length, length == 8 ? "a" : "no");
	}
}

static void
test_truncations(void)
{
	FrameBuffer buffer = sample();
	Frame		frame;
	int			complete = 0;
	int			unsound = 0;

	for (size_t length = 0; length < buffer.length; length++)
	{
		uint8_t    *bytes = exact_copy(buffer.data, length);

		complete += frame_next(bytes, length, &frame) != FRAME_INCOMPLETE;
		free(bytes);
	}
	is_number(complete, 0, "every truncation of a valid frame is incomplete");

	/* the same, but the length says that this is all */
	for (size_t length = 5; length < buffer.length; length++)
	{
		uint8_t    *bytes = exact_copy(buffer.data, length);
		bool		at_field = length == 5 || length == 5 + 11 || length == 5 + 11 + 13;

		bytes[3] = (uint8_t) (length - 4);
		unsound += frame_next(bytes, length, &frame) !=
			(at_field ? FRAME_COMPLETE : FRAME_MALFORMED);
		free(bytes);
	}
	is_number(unsound, 0, "cut inside of a field it is malformed, between fields it is not");
	frame_buffer_free(&buffer);
}

/* Every byte of a frame set to every value: never a frame outside of its bytes. */
static void
test_every_byte(void)
{
	FrameBuffer buffer = sample();
	int			outside = 0;

	for (size_t at = 0; at < buffer.length; at++)
		for (int value = 0; value < 256; value++)
		{
			uint8_t    *bytes = exact_copy(buffer.data, buffer.length);
			Frame		frame;
			const char *text;
			int64_t		number;

			bytes[at] = (uint8_t) value;
			if (frame_next(bytes, buffer.length, &frame) == FRAME_COMPLETE)
			{
				outside += frame.total > buffer.length ||
					frame.fields + frame.fields_length != bytes + frame.total;
				for (uint8_t tag = 0; tag < 5; tag++)
				{
					(void) frame_get_number(&frame, tag, &number);
					if (frame_get_text(&frame, tag, &text))
						outside += (const uint8_t *) text + strlen(text) >= bytes + frame.total;
				}
			}
			free(bytes);
		}
	is_number(outside, 0, "whatever one byte becomes, nothing points out of the frame");
	frame_buffer_free(&buffer);
}

static void
test_several(void)
{
	FrameBuffer buffer = {0};
	Frame		frame;
	int64_t		number = 0;
	int			found = 0;

	for (int i = 0; i < 3; i++)
	{
		frame_begin(&buffer, (uint8_t) (i + 1));
		frame_put_number(&buffer, 1, i * 1000);
		ok(frame_end(&buffer), "frame %d is appended", i + 1);
	}
	ok(frame_next(buffer.data, buffer.length - 1, &frame) == FRAME_COMPLETE,
	   "the first is found though the last is cut");
	while (frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE)
	{
		ok(frame.kind == found + 1 && frame_get_number(&frame, 1, &number) && number == found * 1000,
		   "frame %d is found in its turn", found + 1);
		found++;
		frame_buffer_discard(&buffer, frame.total);
	}
	is_number(found, 3, "three in all");
	is_number((int64_t) buffer.length, 0, "and nothing is left");
	frame_buffer_free(&buffer);
}

static void
test_discard(void)
{
	FrameBuffer buffer = {0};
	size_t		capacity;

	frame_buffer_discard(&buffer, 0);
	is_number((int64_t) buffer.length, 0, "nothing of nothing can be discarded");
	ok(frame_buffer_reserve(&buffer, 10), "room for ten bytes");
	memcpy(buffer.data, "0123456789", 10);
	buffer.length = 10;
	capacity = buffer.capacity;
	frame_buffer_discard(&buffer, 0);
	ok(buffer.length == 10 && memcmp(buffer.data, "0123456789", 10) == 0, "0 bytes change nothing");
	frame_buffer_discard(&buffer, 4);
	ok(buffer.length == 6 && memcmp(buffer.data, "456789", 6) == 0, "the rest moves to the front");
	ok(memcmp(buffer.data + 6, "\0\0\0\0", 4) == 0, "what is behind it is overwritten");
	frame_buffer_discard(&buffer, 6);
	ok(buffer.length == 0 && memcmp(buffer.data, "\0\0\0\0\0\0\0\0\0\0", 10) == 0,
	   "all of it is overwritten");
	is_number((int64_t) buffer.capacity, (int64_t) capacity, "the room stays");
	frame_buffer_free(&buffer);
	ok(buffer.data == NULL && buffer.length == 0 && buffer.capacity == 0, "freed, it is as new");
	frame_buffer_free(&buffer);
	ok(buffer.data == NULL, "freeing twice does no harm");
}

static void
test_reserve(void)
{
	static const size_t sizes[] = {0, 1, 4096, 4097, 100000, 3000000};
	FrameBuffer buffer = {0};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		ok(frame_buffer_reserve(&buffer, sizes[i]) &&
		   buffer.capacity - buffer.length >= sizes[i], "room for %zu bytes", sizes[i]);
		if (buffer.length == 0 && buffer.capacity > 3)
		{
			memcpy(buffer.data, "abc", 3);
			buffer.length = 3;
		}
	}
	ok(memcmp(buffer.data, "abc", 3) == 0, "what was there moves along");
	frame_buffer_free(&buffer);
}

/* Text of a length, to be freed. */
static char *
long_text(size_t length)
{
	char	   *text = malloc(length + 1);

	memset(text, 'x', length);
	text[length] = '\0';
	return text;
}

/* Longest text of a frame with no other field: kind, field header and NUL count too. */
#define LONGEST_TEXT (FRAME_MAX - 1 - FIELD_HEADER - 1)

static void
test_longest(void)
{
	FrameBuffer buffer = {0};
	char	   *fits = long_text(LONGEST_TEXT);
	Frame		frame;
	const char *text;

	frame_begin(&buffer, KIND);
	frame_put_text(&buffer, 1, fits);
	ok(frame_end(&buffer), "the longest frame is written");
	is_number((int64_t) buffer.length, FRAME_MAX + 4, "it has FRAME_MAX bytes behind its length");
	ok(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE, "and is read");
	ok(frame_next(buffer.data, buffer.length - 1, &frame) == FRAME_INCOMPLETE, "a byte less is not");
	ok(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE &&
	   frame_get_text(&frame, 1, &text) && strcmp(text, fits) == 0, "its text is whole");
	free(fits);
	frame_buffer_free(&buffer);
}

static void
test_too_long(void)
{
	static const size_t lengths[] = {LONGEST_TEXT + 1, FRAME_MAX - 1, FRAME_MAX, 3 * FRAME_MAX};
	FrameBuffer buffer = {0};
	Frame		frame;

	frame_begin(&buffer, 1);
	ok(frame_end(&buffer), "a first frame");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		char	   *text = long_text(lengths[i]);

		frame_begin(&buffer, 2);
		frame_put_text(&buffer, 1, text);
		frame_put_number(&buffer, 2, 1);
		ok(!frame_end(&buffer), "a text of %zu bytes is too long", lengths[i]);
		is_number((int64_t) buffer.length, FRAME_HEADER, "nothing of its frame was appended");
		free(text);
	}
	frame_begin(&buffer, 3);
	ok(frame_end(&buffer), "the next frame is not affected");
	ok(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE && frame.kind == 1,
	   "the first is still there");
	frame_buffer_discard(&buffer, frame.total);
	ok(frame_next(buffer.data, buffer.length, &frame) == FRAME_COMPLETE && frame.kind == 3 &&
	   frame.total == buffer.length, "and the next one behind it");
	frame_buffer_free(&buffer);
}

/* Many small fields are held to the same limit. */
static void
test_too_many(void)
{
	FrameBuffer buffer = {0};
	const int	fit = (FRAME_MAX - 1) / (FIELD_HEADER + 8);

	frame_begin(&buffer, KIND);
	for (int i = 0; i < fit; i++)
		frame_put_number(&buffer, 1, i);
	ok(frame_end(&buffer), "as many numbers as fit");
	frame_buffer_discard(&buffer, buffer.length);
	frame_begin(&buffer, KIND);
	for (int i = 0; i < fit + 1; i++)
		frame_put_number(&buffer, 1, i);
	ok(!frame_end(&buffer) && buffer.length == 0, "one more does not");
	frame_buffer_free(&buffer);
}

/* A secret that was put into a frame that came to nothing is given up, too. */
static void
test_failed_frame_is_wiped(void)
{
	FrameBuffer buffer = {0};
	char	   *text = long_text(FRAME_MAX);
	bool		found = false;

	frame_begin(&buffer, KIND);
	frame_put_text(&buffer, 1, "s3cret");
	frame_put_text(&buffer, 2, text);
	ok(!frame_end(&buffer), "a frame with a secret fails");
	for (size_t at = 0; at + 6 <= 4 + 1 + FIELD_HEADER + 7; at++)
		found |= memcmp(buffer.data + at, "s3cret", 6) == 0;
	ok(!found, "the secret is overwritten");
	free(text);
	frame_buffer_free(&buffer);
}

int
main(void)
{
	test_round_trip();
	test_tags();
	test_raw();
	test_text();
	test_number_length();
	test_truncations();
	test_every_byte();
	test_several();
	test_discard();
	test_reserve();
	test_longest();
	test_too_long();
	test_too_many();
	test_failed_frame_is_wiped();
	return done_testing();
}
