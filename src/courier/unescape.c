/*
 * unescape.c: a text, read as it is and with its escapes taken off.
 */
#include "unescape.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The longest tag and the longest named entity of HTML that are taken for one. */
#define TAG_MAX 64
#define ENTITY_MAX 32

static int
hex_value(unsigned char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The number that exactly so many hexadecimal digits make; -1: they are not there. */
static int
hex_number(const Unescaped *reading, size_t at, size_t digits)
{
	int			number = 0;

	if (digits > reading->count || at > reading->count - digits)
		return -1;
	for (size_t i = at; i < at + digits; i++)
	{
		if (hex_value(reading->letters[i].c) < 0)
			return -1;
		number = number * 16 + hex_value(reading->letters[i].c);
	}
	return number;
}

static unsigned char
escaped_character(int code)
{
	return code < 0x80 ? (unsigned char) code : OTHER;
}

/* \n \" \/ \u00e4 \xe4: how many letters it takes, and what it stands for. */
static size_t
read_backslash(const Unescaped *reading, size_t at, unsigned char *c)
{
	size_t		digits;
	int			code;

	if (at + 1 >= reading->count)
		return 0;
	*c = reading->letters[at + 1].c;
	digits = *c == 'u' ? 4 : *c == 'x' ? 2 : 0;
	code = digits > 0 ? hex_number(reading, at + 2, digits) : -1;
	if (code >= 0)
		*c = escaped_character(code);
	else if (strchr("nrtbfv", *c) != NULL)
		*c = ' ';
	return code >= 0 ? 2 + digits : 2;
}

/* Numbers as &#228; and &#xe4; have them; names are of marks, or of letters that are not ASCII. */
static unsigned char
entity_character(const char *name)
{
	static const char *const marks[] = {"amp", "lt", "gt", "quot", "apos", "nbsp"};

	if (name[0] == '#')
	{
		bool		hex = name[1] == 'x' || name[1] == 'X';
		long		code = strtol(name + 1 + hex, NULL, hex ? 16 : 10);

		return code >= 0 && code < 0x80 ? (unsigned char) code : OTHER;
	}
	for (size_t i = 0; i < COUNT(marks); i++)
		if (strcasecmp(name, marks[i]) == 0)
			return ' ';
	return OTHER;
}

static size_t
read_entity(const Unescaped *reading, size_t at, unsigned char *c)
{
	char		name[ENTITY_MAX];
	size_t		length = 0;

	for (size_t i = at + 1; i < reading->count && length + 1 < sizeof(name); i++)
	{
		unsigned char next = reading->letters[i].c;

		if (next == ';' && length > 0)
		{
			name[length] = '\0';
			*c = entity_character(name);
			return length + 2;
		}
		if (!is_alnum(next) && !(next == '#' && length == 0))
			return 0;
		name[length++] = (char) next;
	}
	return 0;
}

static size_t
read_tag(const Unescaped *reading, size_t at, unsigned char *c)
{
	*c = ' ';
	for (size_t i = at + 1; i < reading->count && i < at + TAG_MAX; i++)
		if (reading->letters[i].c == '>')
			return i + 1 - at;
	return 0;
}

/* What read_escape() looks at. */
bool
may_be_escaped(const char *text, size_t length)
{
	static const char marks[] = "%=\\&<";

	for (const char *mark = marks; *mark != '\0'; mark++)
		if (memchr(text, *mark, length) != NULL)
			return true;
	return false;
}

/* What is escaped here takes so many letters; 0: nothing is. */
static size_t
read_escape(const Unescaped *reading, size_t at, unsigned char *c)
{
	int			code;

	switch (reading->letters[at].c)
	{
		case '%':				/* URLs */
		case '=':				/* quoted-printable */
			code = hex_number(reading, at + 1, 2);
			*c = escaped_character(code);
			return code >= 0 ? 3 : 0;
		case '\\':
			return read_backslash(reading, at, c);
		case '&':
			return read_entity(reading, at, c);
		case '<':
			return read_tag(reading, at, c);
		default:
			return 0;
	}
}

/* Takes a layer of escapes off; false: there is none.  "to" has room for as many letters. */
static bool
unescape_layer(const Unescaped *from, Unescaped *to)
{
	bool		found = false;

	to->count = 0;
	for (size_t i = 0; i < from->count;)
	{
		unsigned char c = from->letters[i].c;
		size_t		taken = read_escape(from, i, &c);

		found |= taken > 0;
		taken += taken == 0;
		to->letters[to->count++] = (Letter) {c, from->letters[i].from, from->letters[i + taken - 1].to};
		i += taken;
	}
	return found;
}

Unescaped
read_plainly(const char *text, size_t length)
{
	Unescaped		reading = {allocate((length + 1) * sizeof(Letter)), length};

	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		reading.letters[i] = (Letter) {c < 0x80 ? c : OTHER, (uint32_t) i, (uint32_t) (i + 1)};
	}
	return reading;
}

void
read_each_way(const char *text, size_t length, Reader reader, void *argument)
{
	Unescaped		reading = read_plainly(text, length);
	Unescaped		next = {NULL, 0};

	if (may_be_escaped(text, length))
		next.letters = allocate((length + 1) * sizeof(Letter));
	for (int i = 0; i < READINGS; i++)
	{
		Unescaped		last = reading;

		reader(&reading, argument);
		if (next.letters == NULL || !unescape_layer(&reading, &next))
			break;
		reading = next;
		next = last;
	}
	free(reading.letters);
	free(next.letters);
}

void
mark_letters(const Unescaped *reading, size_t first, size_t last, bool *marks)
{
	uint32_t	to = reading->letters[last].to;

	for (uint32_t i = reading->letters[first].from; i < to; i++)
		marks[i] = true;
}
