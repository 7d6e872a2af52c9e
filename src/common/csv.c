/*
 * csv.c: a state machine over bytes; UTF-8 passes through it.
 */
#include "csv.h"

#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

void
csv_begin(CsvReader *reader, CsvFormat format)
{
	memset(reader, 0, offsetof(CsvReader, text));
	reader->format = format;
	reader->now_line = reader->line = 1;
	reader->special['\0'] = reader->special['\n'] = reader->special['\r'] = true;
	reader->special[(unsigned char) format.delimiter] = true;
	reader->special[(unsigned char) byte_order_mark[2]] = true;
	if (format.quote != '\0')
		reader->special[(unsigned char) format.quote] = true;
	if (format.escape != CSV_ESCAPE_NOWHERE)
		reader->special['\\'] = true;
	reader->is_done = true;
}

static void
begin_record(CsvReader *reader)
{
	reader->is_done = false;
	reader->is_blank = false;
	reader->count = 0;
	reader->line = reader->now_line;
	reader->quote_line = 0;
	reader->raw_length = 0;
	reader->used = 0;
	reader->field_start = 0;
	reader->delimiters = 0;
	reader->escapes_line = false;
	reader->lines = 0;
	reader->alike = 0;
	reader->state = CSV_AT_FIELD;
}

static void
put_byte(CsvReader *reader, char byte)
{
	reader->text[reader->used++] = byte;
}

static CsvStatus
end_field(CsvReader *reader)
{
	char	   *text = reader->text + reader->field_start;
	size_t		length = reader->used - reader->field_start;

	put_byte(reader, '\0');
	if (reader->count < CSV_FIELDS_MAX)
		reader->fields[reader->count] = (CsvField) {
			.text = text,
			.length = length,
			.is_null = reader->is_raw && length == 2 && memcmp(text, "\\N", 2) == 0
		};
	reader->count++;
	reader->field_start = reader->used;
	reader->state = CSV_AT_FIELD;
	return CSV_MORE;
}

/* A line ends.  Could it be a record, if no quote meant anything? */
static void
end_line(CsvReader *reader)
{
	reader->now_line++;
	reader->last_is_like = reader->delimiters + 1 == reader->columns;
	if (reader->lines == 0)
		reader->first_is_like = reader->last_is_like;
	reader->lines++;
	reader->alike += reader->last_is_like;
	reader->delimiters = 0;
}

/*
 * Where text has several lines, one of them may by chance look like a record.
 * But a quote that is none, or a backslash, takes whole records with it: from
 * one to another, or many of which some have a delimiter too many.
 */
static bool
spans_records(const CsvReader *reader)
{
	return reader->lines > 1 && ((reader->first_is_like && reader->last_is_like) || reader->alike * 2 > reader->lines);
}

/* With its line break counted already. */
static CsvStatus
end_record(CsvReader *reader, bool is_blank)
{
	end_field(reader);
	reader->is_blank = is_blank;
	reader->is_done = true;
	if (spans_records(reader) && reader->format.is_guessed && reader->quote_line > 0)
		return CSV_SWALLOWS_LINES;
	if (spans_records(reader) && reader->format.escape == CSV_ESCAPE_UNENCLOSED && reader->escapes_line)
		return CSV_ESCAPES_LINES;
	return CSV_RECORD;
}

/* In a field without quotes, or at the beginning of one. */
static CsvStatus
take_plain(CsvReader *reader, char byte)
{
	if (byte == '\n')
	{
		bool		is_blank = reader->state == CSV_AT_FIELD && reader->count == 0;

		end_line(reader);
		return end_record(reader, is_blank);
	}
	if (byte == reader->format.delimiter)
	{
		reader->is_raw = reader->is_raw || reader->state == CSV_AT_FIELD;
		reader->delimiters++;
		return end_field(reader);
	}
	if (reader->state == CSV_AT_FIELD)
	{
		reader->is_raw = true;
		reader->state = CSV_IN_PLAIN;
		if (byte == reader->format.quote && byte != '\0')
		{
			reader->is_raw = false;
			reader->quote_line = reader->now_line;
			reader->state = CSV_IN_QUOTES;
			return CSV_MORE;
		}
	}
	if (byte == '\r')
		reader->state = CSV_PLAIN_RETURN;
	else if (byte == '\\' && reader->format.escape != CSV_ESCAPE_NOWHERE)
		reader->state = CSV_PLAIN_ESCAPE;
	else
		put_byte(reader, byte);
	/* where files were put together, it may stand before any record */
	if (reader->used == 3 && reader->raw_length == 3 && memcmp(reader->text, byte_order_mark, 3) == 0)
	{
		reader->used = 0;
		reader->raw_length = 0;
		reader->state = CSV_AT_FIELD;
	}
	return CSV_MORE;
}

static bool
can_be_escaped(const CsvReader *reader, char byte)
{
	return byte == '\\' || byte == '"' || byte == '\n' || byte == '\r' ||
		byte == reader->format.delimiter || (byte == reader->format.quote && byte != '\0');
}

static CsvStatus
take_plain_escape(CsvReader *reader, char byte)
{
	reader->state = CSV_IN_PLAIN;
	if (!can_be_escaped(reader, byte))
	{
		put_byte(reader, '\\');
		return take_plain(reader, byte);
	}
	reader->is_raw = false;
	reader->escapes_line = reader->escapes_line || byte == '\n' || byte == '\r';
	if (byte == '\n')
		end_line(reader);
	if (byte == '\r')
		reader->state = CSV_ESCAPED_RETURN;
	put_byte(reader, byte);
	return CSV_MORE;
}

static CsvStatus
take_after_return(CsvReader *reader, char byte)
{
	bool		was_escaped = reader->state == CSV_ESCAPED_RETURN;
	bool		was_blank = reader->count == 0 && reader->used == 0;

	reader->state = CSV_IN_PLAIN;
	if (!was_escaped && byte == '\n')
	{
		end_line(reader);
		return end_record(reader, was_blank);
	}
	if (!was_escaped)
		put_byte(reader, '\r');
	else if (byte == '\n')
	{
		end_line(reader);
		put_byte(reader, byte);
		return CSV_MORE;
	}
	return take_plain(reader, byte);
}

static CsvStatus
take_quoted(CsvReader *reader, char byte)
{
	if (byte == reader->format.quote)
	{
		reader->state = CSV_AT_QUOTE;
		return CSV_MORE;
	}
	if (byte == '\\' && reader->format.escape == CSV_ESCAPE_EVERYWHERE)
	{
		reader->state = CSV_QUOTES_ESCAPE;
		return CSV_MORE;
	}
	if (byte == '\n')
		end_line(reader);
	else if (byte == reader->format.delimiter)
		reader->delimiters++;
	put_byte(reader, byte);
	return CSV_MORE;
}

static CsvStatus
take_quoted_escape(CsvReader *reader, char byte)
{
	reader->state = CSV_IN_QUOTES;
	if (!can_be_escaped(reader, byte))
	{
		put_byte(reader, '\\');
		return take_quoted(reader, byte);
	}
	if (byte == '\n')
		end_line(reader);
	put_byte(reader, byte);
	return CSV_MORE;
}

/* Behind a quote that closes, as it turns out, or behind blanks after it. */
static CsvStatus
take_after_quotes(CsvReader *reader, char byte)
{
	bool		escaped = reader->used > reader->field_start && reader->text[reader->used - 1] == '\\';

	if (byte == reader->format.delimiter)
	{
		reader->delimiters++;
		return end_field(reader);
	}
	if (byte == '\n')
	{
		end_line(reader);
		return end_record(reader, false);
	}
	if (byte == '\r' && reader->state != CSV_LAST_RETURN)
	{
		reader->state = CSV_LAST_RETURN;
		return CSV_MORE;
	}
	if ((byte == ' ' || byte == '\t') && reader->state != CSV_LAST_RETURN)
	{
		reader->state = CSV_BEHIND_QUOTES;
		return CSV_MORE;
	}
	return escaped && reader->state == CSV_AT_QUOTE ? CSV_ESCAPED_QUOTE : CSV_TEXT_AFTER_QUOTE;
}

static CsvStatus
take_byte(CsvReader *reader, char byte)
{
	if (byte == '\0')
		return CSV_ZERO_BYTE;
	if (++reader->raw_length > CSV_RECORD_MAX)
		return CSV_TOO_LONG;
	switch (reader->state)
	{
		case CSV_AT_FIELD:
		case CSV_IN_PLAIN:
			return take_plain(reader, byte);
		case CSV_PLAIN_ESCAPE:
			return take_plain_escape(reader, byte);
		case CSV_PLAIN_RETURN:
		case CSV_ESCAPED_RETURN:
			return take_after_return(reader, byte);
		case CSV_IN_QUOTES:
			return take_quoted(reader, byte);
		case CSV_QUOTES_ESCAPE:
			return take_quoted_escape(reader, byte);
		case CSV_AT_QUOTE:
			if (byte == reader->format.quote)
			{
				put_byte(reader, byte);
				reader->state = CSV_IN_QUOTES;
				return CSV_MORE;
			}
			return take_after_quotes(reader, byte);
		case CSV_BEHIND_QUOTES:
		case CSV_LAST_RETURN:
			return take_after_quotes(reader, byte);
	}
	return CSV_MORE;
}

/* The bytes that only have to be copied, at once; how many. */
static size_t
take_run(CsvReader *reader, const char *bytes, size_t length)
{
	size_t		room = CSV_RECORD_MAX - reader->raw_length;
	size_t		most = length < room ? length : room;
	size_t		run = 0;

	if (reader->state != CSV_IN_PLAIN && reader->state != CSV_IN_QUOTES)
		return 0;
	while (run < most && !reader->special[(unsigned char) bytes[run]])
	{
		reader->text[reader->used + run] = bytes[run];
		run++;
	}
	reader->used += run;
	reader->raw_length += run;
	return run;
}

CsvStatus
csv_take(CsvReader *reader, const char *bytes, size_t length, size_t *taken)
{
	CsvStatus	status = CSV_MORE;
	size_t		at = 0;

	if (reader->is_done && length > 0)
		begin_record(reader);
	while (status == CSV_MORE && at < length)
	{
		at += take_run(reader, bytes + at, length - at);
		if (at < length)
			status = take_byte(reader, bytes[at++]);
	}
	*taken = at;
	return status;
}

CsvStatus
csv_finish(CsvReader *reader)
{
	if (reader->is_done || reader->raw_length == 0)
		return CSV_END;
	switch (reader->state)
	{
		case CSV_IN_QUOTES:
		case CSV_QUOTES_ESCAPE:
			return CSV_NEVER_CLOSED;
		case CSV_PLAIN_ESCAPE:
			put_byte(reader, '\\');
			break;
		case CSV_AT_FIELD:
			reader->is_raw = true;
			break;
		default:
			break;
	}
	end_line(reader);
	return end_record(reader, reader->count == 0 && reader->used == 0 && reader->quote_line == 0);
}
