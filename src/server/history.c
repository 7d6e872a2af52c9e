/*
 * history.c: what import_history() needs of a file of history, and SQL cannot do.
 *
 * COPY reads the file; here it is looked at before, because COPY would take a
 * line of a gigabyte into memory, and would take "\." for the end of the data.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(reengage_read_header);
PG_FUNCTION_INFO_V1(reengage_history_times);

#define RECORD_MAX (1024 * 1024)
#define COLUMNS_MAX 500
#define BLOCK (64 * 1024)

/* What was read of a file, byte by byte. */
typedef struct Scan
{
	const char *file;
	uint64		line;			/* of the current byte, from 1 */
	uint64		record_line;	/* of the first byte of its record */
	size_t		record_length;
	size_t		line_length;
	char		line_start[4];	/* the first bytes of the line */
	bool		in_quotes;
	bool		header_ended;
	StringInfoData header;
} Scan;

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
}

static void
end_line(Scan *scan)
{
	size_t		length = scan->line_length;

	if (length > 0 && scan->line_start[length < 4 ? length - 1 : 3] == '\r')
		length--;
	if (length == 2 && memcmp(scan->line_start, "\\.", 2) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line " UINT64_FORMAT " of file \"%s\" is \"\\.\"", scan->line, scan->file),
				 errdetail("It would be taken for the end of the data."),
				 errhint("Load the file into a staging table with another tool, and import that.")));
	scan->line++;
	scan->line_length = 0;
}

static void
scan_byte(Scan *scan, char byte)
{
	if (byte == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("file \"%s\" is not a text file", scan->file),
				 errdetail("Line " UINT64_FORMAT " has a zero byte.", scan->line),
				 errhint("It must be CSV in UTF-8, not compressed.")));
	if (scan->record_length == 0)
		scan->record_line = scan->line;
	if (++scan->record_length > RECORD_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the record at line " UINT64_FORMAT " of file \"%s\" is longer than %d bytes",
						scan->record_line, scan->file, RECORD_MAX),
				 errhint("Is there a quote that never ends?")));
	if (byte == '"')
		scan->in_quotes = !scan->in_quotes;
	if (!scan->header_ended)
		appendStringInfoChar(&scan->header, byte);
	if (byte == '\n')
	{
		end_line(scan);
		if (!scan->in_quotes)
		{
			scan->record_length = 0;
			scan->header_ended = true;
		}
		return;
	}
	if (scan->line_length < 4)
		scan->line_start[scan->line_length] = byte;
	else
		scan->line_start[3] = byte;
	scan->line_length++;
}

static void
scan_file(Scan *scan)
{
	FILE	   *stream = AllocateFile(scan->file, PG_BINARY_R);
	char	   *block = palloc(BLOCK);
	struct stat status;
	size_t		length;

	if (stream == NULL || fstat(fileno(stream), &status) < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", scan->file)));
	if (!S_ISREG(status.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a regular file", scan->file)));
	while ((length = fread(block, 1, BLOCK, stream)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (size_t i = 0; i < length; i++)
			scan_byte(scan, block[i]);
	}
	if (ferror(stream))
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not read file \"%s\": %m", scan->file)));
	if (scan->line_length > 0)
		end_line(scan);
	FreeFile(stream);
	pfree(block);
}

/* The next field of a header, unquoted and without blanks around it. */
static char *
next_field(const char **at, char delimiter)
{
	StringInfoData field;
	bool		quoted = false;

	initStringInfo(&field);
	for (; **at != '\0'; (*at)++)
	{
		if (**at == '"')
		{
			if (quoted && (*at)[1] == '"')
				appendStringInfoChar(&field, *(*at)++);
			else
				quoted = !quoted;
		}
		else if (**at == delimiter && !quoted)
			break;
		else if (field.len > 0 || strchr(" \t\r\n", **at) == NULL)
			appendStringInfoChar(&field, **at);
	}
	while (field.len > 0 && strchr(" \t\r\n", field.data[field.len - 1]) != NULL)
		field.data[--field.len] = '\0';
	return field.data;
}

static ArrayType *
split_header(const char *header, const char *file, char delimiter)
{
	Datum		names[COLUMNS_MAX];
	int			count = 0;

	if (strncmp(header, "\xef\xbb\xbf", 3) == 0)
		header += 3;
	header = pg_any_to_server(header, strlen(header), PG_UTF8);
	for (;;)
	{
		if (count == COLUMNS_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_TOO_MANY_COLUMNS),
					 errmsg("the header of file \"%s\" has more than %d columns", file, COLUMNS_MAX)));
		names[count++] = CStringGetTextDatum(next_field(&header, delimiter));
		if (*header == '\0')
			return construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT);
		header++;
	}
}

/* The names in the first record of a file that COPY can read to its end. */
Datum
reengage_read_header(PG_FUNCTION_ARGS)
{
	char	   *file = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *delimiter = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Scan		scan = {.file = file, .line = 1};

	require_right_to_read(file);
	if (!is_absolute_path(file))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("\"%s\" is not an absolute path", file),
				 errhint("The file is read by the database server.")));
	if (strlen(delimiter) != 1 || strchr("\"\r\n\\.", delimiter[0]) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be a delimiter", delimiter),
				 errdetail("It must be one byte, and no quote, backslash, dot or line break.")));
	initStringInfo(&scan.header);
	scan_file(&scan);
	PG_RETURN_ARRAYTYPE_P(split_header(scan.header.data, file, delimiter[0]));
}

/*
 * Reads a time without raising an error, for an error needs a subtransaction
 * to be survived.  Words like "now" and "infinity" are no times of history.
 */
static bool
read_time(const char *value, TimestampTz *time)
{
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			count;
	int			type;
	int			zone = 0;
	fsec_t		fraction;
	struct pg_tm parts;

	if (value[0] < '0' || value[0] > '9')
		return false;
	return ParseDateTime(value, buffer, sizeof(buffer), fields, types, MAXDATEFIELDS, &count) == 0 &&
		decode_date_time(fields, types, count, &type, &parts, &fraction, &zone) == 0 &&
		type == DTK_DATE &&
		tm2timestamp(&parts, fraction, &zone, time) == 0;
}

/* Times of texts; null of null and of what cannot be read. */
Datum
reengage_history_times(PG_FUNCTION_ARGS)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int			lower = 1;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		TimestampTz time = 0;

		nulls[i] = nulls[i] || !read_time(TextDatumGetCString(values[i]), &time);
		values[i] = TimestampTzGetDatum(time);
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, 1, &count, &lower, TIMESTAMPTZOID, 8,
											 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
