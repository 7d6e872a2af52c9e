/*
 * text.c: making text from an API harmless.
 */
#define _GNU_SOURCE
#include "text.h"

#include <string.h>

#include "contact.h"
#include "memory.h"
#include "unescape.h"

static bool
is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

static bool
is_space(char c)
{
	return c == '\t' || c == '\n' || c == '\r';
}

/* In UTF-8: not the first byte of its character. */
static bool
is_continuation(char c)
{
	return ((unsigned char) c & 0xC0) == 0x80;
}

/* However short they are, as they are. */
static void
mark_secrets(const char *from, size_t length, const Secrets *secrets, bool *marks)
{
	for (int i = 0; i < SECRET_COUNT; i++)
	{
		const char *word = secrets->words[i];
		size_t		size = word != NULL ? strlen(word) : 0;
		const char *found = size > 0 ? memmem(from, length, word, size) : NULL;

		for (; found != NULL; found = memmem(found + 1, length - (size_t) (found + 1 - from), word, size))
			memset(marks + (found - from), true, size);
	}
}

static void
mark_told(const char *from, size_t length, const Secrets *secrets, bool is_id, bool *marks)
{
	Told		told = secrets->told;

	told.only_runs = is_id;
	memcpy(told.secrets, secrets->words, sizeof(told.secrets));
	echo_mark(from, length, &told, marks);
}

/*
 * Every character leaves at least one behind, so that cleaning cannot put
 * together again what was taken apart.
 */
static void
render_marked(char *to, size_t size, const char *from, size_t length, const bool *marks)
{
	size_t		used = 0;

	for (size_t i = 0; i < length && used + 1 < size; i++)
	{
		if (marks[i])
		{
			for (int star = 0; star < 3 && used + 1 < size; star++)
				to[used++] = '*';
			while (i + 1 < length && marks[i + 1])
				i++;
		}
		else if (is_printable(from[i]))
			to[used++] = from[i];
		else if (is_space(from[i]))
			to[used++] = ' ';
		else if (!is_continuation(from[i]) || i == 0 || (from[i - 1] & 0x80) == 0)
			to[used++] = '?';
	}
	to[used] = '\0';
}

static void
clean_with(char *to, size_t size, const char *from, size_t length, const Secrets *secrets, bool is_id)
{
	bool		marks[SAID_MAX];

	if (length > SAID_MAX)
		length = SAID_MAX;
	memset(marks, false, length);
	if (length > 0)
	{
		mark_secrets(from, length, secrets, marks);
		mark_told(from, length, secrets, is_id, marks);
		if (!is_id)
			contact_mark(from, length, marks);
	}
	render_marked(to, size, from, length, marks);
}

void
text_clean_bytes(char *to, size_t size, const char *from, size_t length,
				 const Secrets *secrets)
{
	clean_with(to, size, from, length, secrets, false);
}

void
text_clean(char *to, size_t size, const char *from, const Secrets *secrets)
{
	text_clean_bytes(to, size, from, from != NULL ? strlen(from) : 0, secrets);
}

void
text_clean_id(char *to, size_t size, const char *from, const Secrets *secrets)
{
	clean_with(to, size, from, from != NULL ? strlen(from) : 0, secrets, true);
}

bool
text_copy_word(char *to, size_t size, const char *from)
{
	size_t		length = from != NULL ? strlen(from) : 0;

	to[0] = '\0';
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alnum((unsigned char) from[i]) && from[i] != '_' && from[i] != '-')
			return false;
	for (size_t i = 0; i <= length; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? from[i] - 'A' + 'a' : from[i];
	return true;
}

bool
text_copy_line(char *to, size_t size, const char *from)
{
	size_t		length = from != NULL ? strlen(from) : 0;

	to[0] = '\0';
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char) from[i] < ' ' || from[i] == 0x7F)
			return false;
	memcpy(to, from, length + 1);
	return true;
}
