/*
 * quoting.c: texts as JSON strings and as CSV values, appended to a buffer.
 *
 * json-c can quote as well, but only by way of an object of its own for every
 * value, which is too much for each field of each ledger line.
 */
#include "quoting.h"

#include <string.h>

void
append_text(struct printbuf *buffer, const char *text)
{
	printbuf_memappend(buffer, text, strlen(text));
}

static void
append_escaped(struct printbuf *buffer, unsigned char byte)
{
	if (byte == '"' || byte == '\\')
		sprintbuf(buffer, "\\%c", byte);
	else
		sprintbuf(buffer, "\\u%04x", byte);
}

void
append_json(struct printbuf *buffer, const char *text)
{
	const char *plain = text;

	if (text == NULL)
	{
		append_text(buffer, "null");
		return;
	}

	append_text(buffer, "\"");
	for (; *text != '\0'; text++)
	{
		unsigned char byte = (unsigned char) *text;

		if (byte >= ' ' && byte != '"' && byte != '\\' && byte != 0x7f)
			continue;
		printbuf_memappend(buffer, plain, text - plain);
		append_escaped(buffer, byte);
		plain = text + 1;
	}
	printbuf_memappend(buffer, plain, text - plain);
	append_text(buffer, "\"");
}

void
append_csv(struct printbuf *buffer, const char *text)
{
	if (text == NULL)
		return;
	/* The empty string is quoted too: unquoted it would be read as NULL. */
	if (*text != '\0' && strpbrk(text, ",\"\r\n") == NULL)
	{
		append_text(buffer, text);
		return;
	}

	append_text(buffer, "\"");
	for (; *text != '\0'; text++)
	{
		if (*text == '"')
			append_text(buffer, "\"");
		printbuf_memappend(buffer, text, 1);
	}
	append_text(buffer, "\"");
}
