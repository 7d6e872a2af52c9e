/*
 * spelling.c: classes of characters, as ranges.
 */
#include "spelling.h"

#include <ctype.h>
#include <string.h>

uint32_t
next_character(const char **at)
{
	const unsigned char *byte = (const unsigned char *) *at;
	size_t		more = byte[0] >= 0xF0 ? 3 : byte[0] >= 0xE0 ? 2 : byte[0] >= 0xC2 ? 1 : 0;
	uint32_t	character = more == 0 ? byte[0] : byte[0] & (0x3F >> more);

	for (size_t i = 1; i <= more; i++)
	{
		if ((byte[i] & 0xC0) != 0x80)
		{
			(*at)++;
			return byte[0];
		}
		character = character << 6 | (byte[i] & 0x3F);
	}
	*at += more + 1;
	return character;
}

typedef struct Range
{
	uint32_t	first;
	uint32_t	last;
} Range;

/* They are in order, so for most letters of most texts the first one tells. */
static bool
is_in(const Range *ranges, size_t count, uint32_t character)
{
	for (size_t i = 0; i < count && character >= ranges[i].first; i++)
		if (character <= ranges[i].last)
			return true;
	return false;
}

bool
is_unseen(uint32_t character)
{
	static const Range unseen[] = {
		{0xAD, 0xAD}, {0x061C, 0x061C}, {0x115F, 0x1160}, {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},
		{0x2060, 0x206F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
	};

	return is_in(unseen, sizeof(unseen) / sizeof(unseen[0]), character);
}

bool
is_blank(uint32_t character)
{
	static const Range blanks[] = {
		{'\t', '\r'}, {' ', ' '}, {0x85, 0x85}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A},
		{0x202F, 0x202F}, {0x205F, 0x205F}, {0x2800, 0x2800}, {0x3000, 0x3000},
	};

	return is_in(blanks, sizeof(blanks) / sizeof(blanks[0]), character) || is_unseen(character);
}

bool
is_punctuation(uint32_t character)
{
	static const Range marks[] = {
		{'(', ')'}, {'-', '/'}, {'[', '['}, {']', ']'}, {0xB7, 0xB7}, {0x2010, 0x2015}, {0x2022, 0x2022},
		{0x2043, 0x2044}, {0x2212, 0x2212}, {0x30FB, 0x30FC}, {0xFE58, 0xFE58}, {0xFE63, 0xFE63},
		{0xFF08, 0xFF09}, {0xFF0D, 0xFF0F}, {0xFF3B, 0xFF3B}, {0xFF3D, 0xFF3D}, {0xFF65, 0xFF65}, {0xFF70, 0xFF70},
	};

	return is_in(marks, sizeof(marks) / sizeof(marks[0]), character);
}

bool
is_opening(uint32_t character)
{
	return character == '(' || character == '[' || character == 0xFF08 || character == 0xFF3B;
}

bool
is_apostrophe(uint32_t character)
{
	return character == '\'' || character == '`' || character == 0xB4 || character == 0x02B9 ||
		character == 0x02BC || (character >= 0x2018 && character <= 0x201B) || character == 0x2032 ||
		character == 0xFF07;
}

bool
is_plus(uint32_t character)
{
	return character == '+' || character == 0xFE62 || character == 0xFF0B;
}

int
digit_of(uint32_t character)
{
	static const uint32_t zeros[] = {'0', 0x0660, 0x06F0, 0x0966, 0xFF10};

	for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		if (character >= zeros[i] && character <= zeros[i] + 9)
			return (int) (character - zeros[i]);
	return -1;
}

Span
trimmed(const char *text)
{
	const char *start = text;
	const char *end;

	while (*text != '\0' && is_blank(next_character(&text)))
		start = text;
	end = text = start;
	while (*text != '\0')
		if (!is_blank(next_character(&text)))
			end = text;
	return (Span) {start, (size_t) (end - start)};
}

char
small_letter(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? (char) (letter + ('a' - 'A')) : letter;
}

static bool
are_alike(const char *one, const char *other, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (small_letter(one[i]) != small_letter(other[i]))
			return false;
	return true;
}

bool
span_is(Span span, const char *word)
{
	return strlen(word) == span.length && are_alike(span.start, word, span.length);
}

bool
span_begins_with(Span span, const char *start)
{
	size_t		length = strlen(start);

	return span.length >= length && are_alike(span.start, start, length);
}

bool
span_ends_with(Span span, const char *end)
{
	size_t		length = strlen(end);

	return span.length >= length && are_alike(span.start + span.length - length, end, length);
}

size_t
digits_at(Span span, size_t from)
{
	size_t		count = 0;

	while (from + count < span.length && isdigit((unsigned char) span.start[from + count]))
		count++;
	return count;
}
