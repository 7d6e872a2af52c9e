/*
 * csv.h: reads CSV as warehouses write it, a piece at a time.
 *
 * A field that begins with a quote is enclosed: it ends at the next quote that
 * is not doubled, and may have delimiters and line breaks.  In any other field
 * a quote is data, and a backslash takes its meaning from a delimiter, a quote,
 * a backslash or a line break (Snowflake's ESCAPE_UNENCLOSED_FIELD); before
 * anything else it is data.  Where it is not certain what a record is, it is a
 * fault, and never another record than the file's writer meant.
 */
#ifndef REENGAGE_CSV_H
#define REENGAGE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_RECORD_MAX (1024 * 1024)	/* bytes, as they are in the file */
#define CSV_FIELDS_MAX 1000		/* of a record; what is beyond is counted, not kept */

typedef enum CsvEscape
{
	CSV_ESCAPE_UNENCLOSED,		/* a backslash escapes in fields that are not enclosed */
	CSV_ESCAPE_EVERYWHERE,		/* also in enclosed ones */
	CSV_ESCAPE_NOWHERE
} CsvEscape;

typedef struct CsvFormat
{
	char		delimiter;
	char		quote;			/* '\0': nothing is enclosed */
	CsvEscape	escape;
	bool		is_guessed;		/* nobody said that fields are enclosed: doubt is a fault */
} CsvFormat;

typedef enum CsvStatus
{
	CSV_MORE,					/* all bytes were taken, and the record goes on */
	CSV_RECORD,
	CSV_END,					/* of the file */
	/* faults */
	CSV_ZERO_BYTE,
	CSV_TOO_LONG,
	CSV_TEXT_AFTER_QUOTE,
	CSV_ESCAPED_QUOTE,			/* the same, and it looks like a backslash that escapes a quote */
	CSV_NEVER_CLOSED,
	CSV_SWALLOWS_LINES,			/* lines between two quotes could be records of their own */
	CSV_ESCAPES_LINES			/* lines behind a backslash */
} CsvStatus;

/* Points into the reader; ends with a zero byte. */
typedef struct CsvField
{
	const char *text;
	size_t		length;
	bool		is_null;		/* \N and nothing else, not enclosed */
} CsvField;

typedef enum CsvState
{
	CSV_AT_FIELD,				/* before its first byte */
	CSV_IN_PLAIN,
	CSV_PLAIN_ESCAPE,			/* behind its backslash */
	CSV_PLAIN_RETURN,			/* behind its carriage return */
	CSV_ESCAPED_RETURN,
	CSV_IN_QUOTES,
	CSV_QUOTES_ESCAPE,
	CSV_AT_QUOTE,				/* behind a quote that closes, or is the first of two */
	CSV_BEHIND_QUOTES,
	CSV_LAST_RETURN				/* behind the carriage return after enclosed text */
} CsvState;

typedef struct CsvReader
{
	CsvFormat	format;
	int			columns;		/* of a record, once known; 0: not yet */

	/* the record that was read last */
	CsvField	fields[CSV_FIELDS_MAX];
	int			count;			/* of all its fields */
	uint64_t	line;			/* where it begins, from 1 */
	bool		is_blank;		/* a line with nothing in it */
	uint64_t	quote_line;		/* where its last quote opened */

	/* of the reader alone */
	CsvState	state;
	bool		special[256];
	bool		is_done;		/* the record above has been given out */
	bool		is_raw;			/* the field is what stands in the file */
	bool		escapes_line;	/* a backslash took a line break */
	bool		first_is_like;	/* its first line could be a record of its own */
	bool		last_is_like;	/* so could its last line so far */
	int			lines;
	int			alike;			/* of its lines could be one */
	int			delimiters;		/* in its last line, enclosed or not */
	uint64_t	now_line;
	size_t		raw_length;		/* of the record */
	size_t		used;			/* bytes of "text" */
	size_t		field_start;
	char		text[CSV_RECORD_MAX + 2];
} CsvReader;

/* The reader is large: 1.1 MB. */
extern void csv_begin(CsvReader *reader, CsvFormat format);

/*
 * Takes bytes up to the end of a record; "*taken" is how many.  A record's
 * fields stay until the next call.
 */
extern CsvStatus csv_take(CsvReader *reader, const char *bytes, size_t length, size_t *taken);

/* After the last byte: the record that no line break ended, or CSV_END. */
extern CsvStatus csv_finish(CsvReader *reader);

#endif
