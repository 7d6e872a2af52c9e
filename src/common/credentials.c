/*
 * credentials.c: reading the credentials file, line by line.
 */
#include "credentials.h"

#include <string.h>

#include "url.h"

/* A stretch of the text, not terminated. */
typedef struct Span
{
	const char *start;
	size_t		length;
} Span;

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static Span
trim_span(Span span)
{
	while (span.length > 0 && is_blank(span.start[0]))
		span.start++, span.length--;
	while (span.length > 0 && is_blank(span.start[span.length - 1]))
		span.length--;
	return span;
}

static bool
span_is(Span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.start, text, span.length) == 0;
}

static bool
has_control_byte(Span span)
{
	for (size_t i = 0; i < span.length; i++)
		if ((unsigned char) span.start[i] < ' ' || span.start[i] == 0x7f)
			return true;
	return false;
}

/* Cuts the next line off the text. */
static Span
take_line(Span *text)
{
	const char *newline = memchr(text->start, '\n', text->length);
	Span		line = {text->start, newline ? (size_t) (newline - text->start) : text->length};
	size_t		used = line.length + (newline ? 1 : 0);

	text->start += used;
	text->length -= used;
	return trim_span(line);
}

/* Where the value of that name belongs; NULL: there is no such name. */
static char *
target_of(Span name, Credentials *credentials)
{
	if (span_is(name, "client_id"))
		return credentials->client_id;
	if (span_is(name, "client_secret"))
		return credentials->client_secret;
	if (span_is(name, "host"))
		return credentials->host;
	return span_is(name, "database") ? credentials->database : NULL;
}

/* "name = value"; stores it if it is of the wanted section. */
static const char *
read_setting(Span line, bool wanted, Credentials *credentials)
{
	const char *equals = memchr(line.start, '=', line.length);
	Span		name;
	Span		value;
	char	   *target;

	if (equals == NULL)
		return "expected \"name = value\" or \"[server]\"";
	name = trim_span((Span) {line.start, (size_t) (equals - line.start)});
	value = trim_span((Span) {equals + 1, line.length - (size_t) (equals + 1 - line.start)});
	target = target_of(name, credentials);
	if (target == NULL)
		return "expected client_id, client_secret, host or database";
	if (value.length == 0 || value.length > CREDENTIAL_MAX)
		return "a value must have 1 to 1024 bytes";
	if (has_control_byte(value))
		return "a value must not contain control characters";
	if (!wanted)
		return NULL;
	if (target[0] != '\0')
		return "the name stands twice in its section";
	memcpy(target, value.start, value.length);
	target[value.length] = '\0';
	if (target == credentials->host && url_pins_complaint(target) != NULL)
		return "host must name hosts separated by commas, each perhaps with a port, as in api.example.com or api.example.com:8443";
	return NULL;
}

/* "[server]"; says whether it is the wanted one. */
static const char *
read_section(Span line, const char *server, bool *wanted, Credentials *credentials)
{
	Span		name;

	if (line.length < 3 || line.start[line.length - 1] != ']')
		return "a section must read \"[server]\"";
	name = trim_span((Span) {line.start + 1, line.length - 2});
	*wanted = span_is(name, server);
	if (*wanted && credentials->found)
		return "the section stands twice in the file";
	credentials->found |= *wanted;
	return name.length == 0 ? "a section must name a server" : NULL;
}

int
credentials_find(const char *text, size_t length, const char *server,
				 Credentials *credentials, const char **complaint)
{
	Span		rest = {text, length};
	bool		in_section = false;
	bool		wanted = false;
	int			number = 0;

	memset(credentials, 0, sizeof(*credentials));
	while (rest.length > 0)
	{
		Span		line = take_line(&rest);

		number++;
		*complaint = NULL;
		if (line.length == 0 || line.start[0] == '#' || line.start[0] == ';')
			continue;
		if (line.start[0] == '[')
		{
			*complaint = read_section(line, server, &wanted, credentials);
			in_section = true;
		}
		else if (!in_section)
			*complaint = "expected a section \"[server]\" first";
		else
			*complaint = read_setting(line, wanted, credentials);
		if (*complaint != NULL)
			return number;
	}
	return 0;
}
