/*
 * csv_fuzz.c: whatever a file of history has in it, it is read in bounds, alike
 * however its bytes arrive; what was read can be written and read again; no
 * line is left out; and what is taken for a time is one of its years.
 *
 * Input: one byte chooses the format; then the file.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common
 *     test/fuzz/csv_fuzz.c src/common/{csv,written_time}.c
 */
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "written_time.h"

#define YEAR_10000 INT64_C(253402300800000000)

static CsvReader reader;
static CsvReader again;

/* Not inlined, so that the stack of a crash says which one failed. */
static void __attribute__((noinline))
check(bool holds)
{
	if (!holds)
		abort();
}

static CsvFormat
format_of(uint8_t choice)
{
	return (CsvFormat) {
		.delimiter = choice & 1 ? ';' : ',',
		.quote = choice & 2 ? '\0' : '"',
		.escape = (CsvEscape) (choice / 4 % 3),
		.is_guessed = choice & 64
	};
}

static void
check_times(const CsvReader *record)
{
	for (int i = 0; i < record->count && i < CSV_FIELDS_MAX; i++)
	{
		int64_t		time;

		check(strlen(record->fields[i].text) == record->fields[i].length);
		for (int order = DATE_ORDER_UNKNOWN; order <= DATE_ORDER_YMD; order++)
			if (written_time_read(record->fields[i].text, (DateOrder) order, &time))
				check(time > -INT64_C(86400000000) && time < YEAR_10000 + INT64_C(86400000000));
	}
}

/* Enclosed, with doubled quotes, every text comes back. */
static void
check_round_trip(const CsvReader *record)
{
	static char text[2 * CSV_RECORD_MAX + 4 * CSV_FIELDS_MAX];
	size_t		length = 0;
	size_t		taken;

	if (record->count > CSV_FIELDS_MAX)
		return;
	for (int i = 0; i < record->count; i++)
	{
		if (i > 0)
			text[length++] = ',';
		text[length++] = '"';
		for (const char *byte = record->fields[i].text; *byte; byte++)
		{
			if (*byte == '"')
				text[length++] = '"';
			text[length++] = *byte;
		}
		text[length++] = '"';
	}
	text[length++] = '\n';
	if (length > CSV_RECORD_MAX)
		return;
	csv_begin(&again, (CsvFormat) {.delimiter = ',', .quote = '"'});
	check(csv_take(&again, text, length, &taken) == CSV_RECORD && taken == length);
	check(again.count == record->count);
	for (int i = 0; i < record->count; i++)
		check(strcmp(again.fields[i].text, record->fields[i].text) == 0 && !again.fields[i].is_null);
}

/* What was read, as a number; the lines that its records have. */
static uint64_t
read_all(CsvFormat format, const char *text, size_t length, size_t piece, bool looks)
{
	uint64_t	sum = 5381;
	uint64_t	next_line = 1;
	size_t		at = 0;
	CsvStatus	status = CSV_MORE;

	csv_begin(&reader, format);
	reader.columns = 3;
	for (;;)
	{
		size_t		taken = 0;

		if (at < length)
			status = csv_take(&reader, text + at, length - at < piece ? length - at : piece, &taken);
		else
			status = csv_finish(&reader);
		at += taken;
		if (status != CSV_MORE && status != CSV_RECORD)
			break;
		if (status == CSV_MORE)
			continue;
		check(reader.line == next_line && reader.now_line > reader.line);
		next_line = reader.now_line;
		for (int i = 0; i < reader.count && i < CSV_FIELDS_MAX; i++)
			for (const char *byte = reader.fields[i].text; *byte; byte++)
				sum = sum * 33 + (unsigned char) *byte;
		sum = sum * 33 + reader.count;
		if (looks)
		{
			check_times(&reader);
			check_round_trip(&reader);
		}
	}
	return sum * 33 + status;
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CsvFormat	format;
	uint64_t	whole;

	if (size < 1)
		return 0;
	format = format_of(data[0]);
	whole = read_all(format, (const char *) data + 1, size - 1, size, true);
	check(read_all(format, (const char *) data + 1, size - 1, 1, false) == whole);
	check(read_all(format, (const char *) data + 1, size - 1, 3, false) == whole);
	return 0;
}
