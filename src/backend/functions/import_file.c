/*
 * import_file.c: reads a CSV file of history into the staging table.
 *
 * COPY would take a bare quote for the beginning of enclosed text, and records
 * with it; so csv.c reads it.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "csv.h"
#include "functions/import_staging.h"
#include "spelling.h"

PG_FUNCTION_INFO_V1(reengage_import_read_header);
PG_FUNCTION_INFO_V1(reengage_import_copy_file);

#define COLUMNS_MAX 500
#define BLOCK (64 * 1024)

/* A file that is being read. */
typedef struct Source
{
	const char *file;
	FILE	   *stream;
	CsvReader  *reader;
	char	   *block;
	size_t		length;			/* of the block */
	size_t		taken;			/* of it */
} Source;

static void
require_right_to_read(const char *file)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read file \"%s\"", file),
				 errdetail("Only roles with privileges of the \"%s\" role may read a file on the database server.",
						   "pg_read_server_files"),
				 errhint("Load it into a staging table with psql's \\copy, and import that.")));
	if (!is_absolute_path(file))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("\"%s\" is not an absolute path", file),
				 errhint("The file is read by the database server.")));
}

static void
refuse_format(const char *what, const char *value, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" cannot be %s", value, what),
			 errdetail("%s", detail)));
}

/* Of the arguments delimiter, quote and escape, which follow the file's name. */
static CsvFormat
format_of(FunctionCallInfo fcinfo)
{
	const char *delimiter = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *quote = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	const char *escape = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	CsvFormat	format = {.quote = '"', .is_guessed = quote == NULL};

	if (strlen(delimiter) != 1 || IS_HIGHBIT_SET(delimiter[0]) || strchr("\"\r\n\\.", delimiter[0]) != NULL)
		refuse_format("a delimiter", delimiter, "It must be one byte, and no quote, backslash, dot or line break.");
	if (quote != NULL && (strlen(quote) > 1 || IS_HIGHBIT_SET(quote[0]) || (quote[0] != '\0' && strchr("\r\n\\ ", quote[0]) != NULL) ||
						  quote[0] == delimiter[0]))
		refuse_format("a quote", quote, "It must be one byte, and no delimiter, backslash, blank or line break; or empty, where nothing is enclosed.");
	if (escape != NULL && escape[0] != '\0' && strcmp(escape, "\\") != 0)
		refuse_format("an escape", escape, "It must be a backslash, or empty, where a backslash is data.");
	format.delimiter = delimiter[0];
	if (quote != NULL)
		format.quote = quote[0];
	format.escape = escape == NULL ? CSV_ESCAPE_UNENCLOSED :
		escape[0] == '\0' ? CSV_ESCAPE_NOWHERE : CSV_ESCAPE_EVERYWHERE;
	return format;
}

static void
source_open(Source *source, FunctionCallInfo fcinfo)
{
	const char *file;
	CsvFormat	format = format_of(fcinfo);
	struct stat status;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("file must not be null")));
	file = text_to_cstring(PG_GETARG_TEXT_PP(0));
	require_right_to_read(file);
	source->file = file;
	source->block = palloc(BLOCK);
	source->length = source->taken = 0;
	source->reader = palloc(sizeof(CsvReader));
	csv_begin(source->reader, format);
	source->stream = AllocateFile(file, PG_BINARY_R);
	if (source->stream == NULL || fstat(fileno(source->stream), &status) < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", file)));
	if (!S_ISREG(status.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a regular file", file)));
}

static void
source_close(Source *source)
{
	FreeFile(source->stream);
	pfree(source->block);
	pfree(source->reader);
}

/* What to do where quotes are not what they were taken for. */
static const char *
quote_hint(void)
{
	return "If nothing in the file is enclosed, as by Snowflake's defaults, say quote => ''; "
		"if a backslash escapes quotes in enclosed text, escape => '\\'; if the text is right as it is, quote => '\"'.";
}

/* The file cannot be read as what it was said to be. */
static void
refuse_file(const Source *source, CsvStatus fault)
{
	const CsvReader *reader = source->reader;
	unsigned long long line = reader->line;
	unsigned long long quote_line = reader->quote_line;
	unsigned long long now_line = reader->now_line;

	switch (fault)
	{
		case CSV_ZERO_BYTE:
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("file \"%s\" is not a text file", source->file),
					 errdetail("Line %llu has a zero byte.", now_line),
					 errhint("It must be CSV in UTF-8, not compressed.")));
			break;
		case CSV_TOO_LONG:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the record at line %llu of file \"%s\" is longer than %d bytes", line, source->file, CSV_RECORD_MAX),
					 quote_line > 0 ? errdetail("A quote opens in line %llu, and has not closed until line %llu.", quote_line, now_line) : 0,
					 quote_line > 0 ? errhint("%s", quote_hint()) : 0));
			break;
		case CSV_NEVER_CLOSED:
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("a quote opens in line %llu of file \"%s\", and never closes", quote_line, source->file),
					 errhint("%s", quote_hint())));
			break;
		case CSV_SWALLOWS_LINES:
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("lines %llu to %llu of file \"%s\" are one record by their quotes, and could be records of their own",
							line, now_line - 1, source->file),
					 errhint("%s", quote_hint())));
			break;
		case CSV_ESCAPES_LINES:
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("lines %llu to %llu of file \"%s\" are one record by their backslashes, and could be records of their own",
							line, now_line - 1, source->file),
					 errhint("If a backslash is data, as pandas and spreadsheets write it, say escape => ''; "
							 "if it takes the meaning of a line break, say escape => '\\'.")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("text follows the closing quote in line %llu of file \"%s\"", now_line, source->file),
					 errdetail("The quote that it closes opens in line %llu.", quote_line),
					 fault == CSV_ESCAPED_QUOTE ? errhint("If a backslash escapes quotes in enclosed text, say escape => '\\'.") :
					 errhint("%s", quote_hint())));
			break;
	}
}

/* The next record into the reader; false: there is none. */
static bool
next_record(Source *source)
{
	for (;;)
	{
		CsvStatus	status;
		size_t		taken = 0;

		if (source->taken == source->length)
		{
			CHECK_FOR_INTERRUPTS();
			source->length = fread(source->block, 1, BLOCK, source->stream);
			source->taken = 0;
			if (ferror(source->stream))
				ereport(ERROR,
						(errcode_for_file_access(), errmsg("could not read file \"%s\": %m", source->file)));
		}
		status = source->length == 0 ? csv_finish(source->reader) :
			csv_take(source->reader, source->block + source->taken, source->length - source->taken, &taken);
		source->taken += taken;
		if (status == CSV_RECORD)
			return true;
		if (status == CSV_END)
			return false;
		if (status != CSV_MORE)
			refuse_file(source, status);
	}
}

/* In the database's encoding; NULL: null. */
static const char *
text_of(const Source *source, const CsvField *field)
{
	if (field->is_null)
		return NULL;
	if (!pg_verify_mbstr(PG_UTF8, field->text, field->length, true))
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("the record at line %llu of file \"%s\" is not UTF-8", (unsigned long long) source->reader->line, source->file),
				 errhint("It must be CSV in UTF-8, not compressed.")));
	return pg_any_to_server(field->text, field->length, PG_UTF8);
}

/* --- headers ------------------------------------------------------------------- */

typedef struct Header
{
	int			count;
	const char *names[COLUMNS_MAX]; /* in UTF-8, without blanks around them */
} Header;

static const char *
name_in(const CsvField *field)
{
	Span		name = trimmed(field->text);

	return pnstrdup(name.start, name.length);
}

static void
read_header(Source *source, Header *header)
{
	const CsvReader *reader = source->reader;

	header->count = 0;
	do
	{
		if (!next_record(source))
			return;
	} while (reader->is_blank);
	if (reader->count > COLUMNS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("the header of file \"%s\" has more than %d columns", source->file, COLUMNS_MAX)));
	for (int i = 0; i < reader->count; i++)
	{
		/* for the reader such a file is one line, and so no record */
		if (strchr(reader->fields[i].text, '\r') != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("the header of file \"%s\" has a carriage return without a line feed", source->file),
					 errhint("Lines must end in LF or CR LF; tr '\\r' '\\n' makes them so.")));
		text_of(source, &reader->fields[i]);
		header->names[header->count++] = name_in(&reader->fields[i]);
	}
	source->reader->columns = header->count;
}

/* Without the blanks around it; most fields have none, and that shows at once. */
static Span
span_of(const CsvField *field)
{
	const char *text = field->text;
	size_t		length = field->length;

	if (length > 0 && text[0] > ' ' && text[0] < 0x7f && text[length - 1] > ' ' && text[length - 1] < 0x7f)
		return (Span) {text, length};
	return trimmed(text);
}

static bool
is_a_name(const CsvField *field, const Header *header)
{
	Span		span = span_of(field);

	for (int i = 0; i < header->count && span.length > 0; i++)
		if (span_is(span, header->names[i]))
			return true;
	return false;
}

/* Whether most of a record's fields are names of columns: files were put together. */
static bool
resembles_header(const CsvReader *reader, const Header *header)
{
	int			kept = Min(reader->count, CSV_FIELDS_MAX);
	int			names = 0;

	/* data has none in its first fields */
	for (int i = 0; i < Min(kept, 3); i++)
		names += is_a_name(&reader->fields[i], header);
	if (names == 0)
		return false;
	names = 0;
	for (int i = 0; i < kept; i++)
		names += is_a_name(&reader->fields[i], header);
	return names >= 2 && names * 2 > kept;
}

/* What follows another header has other columns, and would be taken for what it is not. */
static void
require_same_header(const Source *source, const Header *header)
{
	const CsvReader *reader = source->reader;
	bool		same = reader->count == header->count;

	for (int i = 0; same && i < header->count; i++)
		same = span_is(span_of(&reader->fields[i]), header->names[i]);
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line %llu of file \"%s\" is another header than its first", (unsigned long long) reader->line, source->file),
				 errhint("Files with other columns, or in another order, are imported one by one.")));
}

/* The reason that a record has by its form alone; NULL: none. */
static const char *
complaint_of(const Source *source, const Header *header)
{
	const CsvReader *reader = source->reader;

	if (reader->is_blank)
		return "empty_line";
	if (resembles_header(reader, header))
	{
		require_same_header(source, header);
		return "header";
	}
	return reader->count == header->count ? NULL : "wrong_field_count";
}

/* The names of the columns; an empty file has none. */
Datum
reengage_import_read_header(PG_FUNCTION_ARGS)
{
	Source		source;
	Header	   *header = palloc(sizeof(Header));
	Datum		names[COLUMNS_MAX];

	source_open(&source, fcinfo);
	read_header(&source, header);
	for (int i = 0; i < header->count; i++)
		names[i] = CStringGetTextDatum(pg_any_to_server(header->names[i], strlen(header->names[i]), PG_UTF8));
	source_close(&source);
	PG_RETURN_ARRAYTYPE_P(construct_array(names, header->count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* All records behind the header; how many. */
Datum
reengage_import_copy_file(PG_FUNCTION_ARGS)
{
	Source		source;
	Header	   *header = palloc(sizeof(Header));
	const char **texts = palloc(sizeof(char *) * CSV_FIELDS_MAX);
	MemoryContext of_record = AllocSetContextCreate(CurrentMemoryContext, "record of a file", ALLOCSET_DEFAULT_SIZES);
	Staging    *staging;
	int64		records;

	source_open(&source, fcinfo);
	read_header(&source, header);
	staging = staging_open(header->count);
	while (next_record(&source))
	{
		StagedRecord record = {
			.line = source.reader->line,
			.field_count = source.reader->count,
			.complaint = complaint_of(&source, header),
			.count = Min(source.reader->count, CSV_FIELDS_MAX),
			.texts = texts
		};
		MemoryContext before = MemoryContextSwitchTo(of_record);

		for (int i = 0; i < record.count; i++)
			texts[i] = text_of(&source, &source.reader->fields[i]);
		MemoryContextSwitchTo(before);
		staging_add(staging, &record);
		MemoryContextReset(of_record);
	}
	records = staging_close(staging);
	source_close(&source);
	MemoryContextDelete(of_record);
	PG_RETURN_INT64(records);
}
