/*
 * csv_test.c: records of CSV, of each kind and at each cut of the bytes.
 */
#include "csv.h"

#include "tap.h"

static const CsvFormat guessed = {.delimiter = ',', .quote = '"', .is_guessed = true};

static CsvReader reader;

static void
append(char *shown, const char *text)
{
	strcat(shown, text);
}

/* The records as they were read: fields in [], nulls as [], records by their lines. */
static const char *
show_record(char *shown)
{
	char		line[32];

	snprintf(line, sizeof(line), "%s%d:", shown[0] != '\0' ? " " : "", (int) reader.line);
	append(shown, line);
	if (reader.is_blank)
	{
		append(shown, "blank");
		return shown;
	}
	for (int i = 0; i < reader.count && i < CSV_FIELDS_MAX; i++)
	{
		append(shown, reader.fields[i].is_null ? "<" : "[");
		append(shown, reader.fields[i].is_null ? "null" : reader.fields[i].text);
		append(shown, reader.fields[i].is_null ? ">" : "]");
		if (!reader.fields[i].is_null && strlen(reader.fields[i].text) != reader.fields[i].length)
			append(shown, "LENGTH");
	}
	return shown;
}

static const char *
fault_name(CsvStatus status)
{
	static const char *const names[] = {
		"more", "record", "", " zero byte", " too long", " text after quote", " escaped quote", " never closed", " swallows", " escapes lines"
	};

	return names[status];
}

/* Reads in pieces of a size. */
static const char *
read_in_pieces(CsvFormat format, int columns, const char *text, size_t length, size_t piece)
{
	static char shown[4096];
	size_t		at = 0;
	CsvStatus	status = CSV_MORE;

	shown[0] = '\0';
	csv_begin(&reader, format);
	reader.columns = columns;
	while (at < length && (status == CSV_MORE || status == CSV_RECORD))
	{
		size_t		taken;

		status = csv_take(&reader, text + at, length - at < piece ? length - at : piece, &taken);
		at += taken;
		if (status == CSV_RECORD)
			show_record(shown);
	}
	if (status == CSV_MORE || status == CSV_RECORD)
	{
		status = csv_finish(&reader);
		if (status == CSV_RECORD)
		{
			show_record(shown);
			status = csv_finish(&reader);
		}
	}
	append(shown, fault_name(status));
	return shown;
}

/* However the bytes are cut, the same is read. */
static void
reads_as(CsvFormat format, int columns, const char *text, const char *wanted, const char *name)
{
	const char *got = "";

	for (size_t piece = 1; piece <= strlen(text) + 1; piece++)
	{
		got = read_in_pieces(format, columns, text, strlen(text), piece);
		if (strcmp(got, wanted) != 0)
			break;
	}
	is_text(got, wanted, name);
}

static void
test_plain(void)
{
	reads_as(guessed, 2, "a,b\nc,d\n", "1:[a][b] 2:[c][d]", "two records");
	reads_as(guessed, 2, "a,b\r\nc,d", "1:[a][b] 2:[c][d]", "CR LF, and no line break at the end");
	reads_as(guessed, 2, ",\n,", "1:[][] 2:[][]", "empty fields");
	reads_as(guessed, 2, "\\N,\\N \n\\\\N,x\\N\n", "1:<null>[\\N ] 2:[\\N][x\\N]", "\\N alone is null");
	reads_as(guessed, 2, "", "", "an empty file");
	reads_as(guessed, 2, "\n\r\na,b\n\n", "1:blank 2:blank 3:[a][b] 4:blank", "empty lines are seen");
	reads_as(guessed, 2, "a\rb,c\n", "1:[a\rb][c]", "a carriage return of its own is data");
	reads_as(guessed, 2, "\\.\na,b\n", "1:[\\.] 2:[a][b]", "a line \\. ends nothing");
	reads_as(guessed, 2, "\xef\xbb\xbf" "a,b\n\xef\xbb\xbf\xef\xbb\xbf\"c\",d\nx\xef\xbb\xbf,\xef\xbb\xbf\n",
			 "1:[a][b] 2:[c][d] 3:[x\xef\xbb\xbf][\xef\xbb\xbf]", "byte order marks before records");
	reads_as(guessed, 2, "na\xc3\xafve,\xe2\x98\x95\n", "1:[na\xc3\xafve][\xe2\x98\x95]", "UTF-8 passes");
}

static void
test_enclosed(void)
{
	reads_as(guessed, 2, "\"a,\"\"b\"\"\",\"\"\n", "1:[a,\"b\"][]", "delimiters and doubled quotes");
	reads_as(guessed, 2, "\"a\r\nb\n\",c\n\"d\",e\n", "1:[a\r\nb\n][c] 4:[d][e]", "line breaks, and the lines are counted");
	reads_as(guessed, 2, "\"a\" ,\"b\"\t\r\n", "1:[a][b]", "blanks behind a closing quote are none of the text");
	reads_as(guessed, 2, "\"\\N\",\"b\\\"\n", "1:[\\N][b\\]", "a backslash is data there, and \\N no null");
	reads_as(guessed, 2, "\"a\"b,c\n", " text after quote", "text behind a closing quote");
	reads_as(guessed, 2, "\"a\"\rb,c\n", " text after quote", "also behind a carriage return");
	reads_as(guessed, 2, "\"say \\\"hi\\\"\",c\n", " escaped quote", "a backslash that escapes a quote is suspected");
	reads_as(guessed, 2, "a,b\n\"c,d\n", "1:[a][b] never closed", "a quote that never closes");
	is_number(reader.quote_line, 2, "opens in line 2");
}

static void
test_quotes_as_data(void)
{
	reads_as(guessed, 3, "1,5\" screen,x\n2,b,y\n3,7\" tablet,z\n", "1:[1][5\" screen][x] 2:[2][b][y] 3:[3][7\" tablet][z]",
			 "a quote in the middle is data");
	reads_as(guessed, 2, "a \"b\", \"c\n", "1:[a \"b\"][ \"c]", "also behind a blank");
	reads_as(guessed, 3, "1,2,\"oops\n3,4,5\n6,7,\"\n", " swallows", "a quote that takes whole records with it");
	is_number(reader.line, 1, "which begin in line 1");
	reads_as(guessed, 4, "1,2,3,\"oops\n4,5,6,a, b\n7,8,9,c\n10,11,12,\"\n", " swallows", "also if one of them has a delimiter too many");
	reads_as(guessed, 4, "1,2,3,\"oops\n4,5,6,7\n8,9,10,11\n12,13,14,15, 16\"\n", " swallows", "also the last");
	reads_as(guessed, 4, "1,2,3,\"one\na,b,c,d\n\ntwo\"\n", "1:[1][2][3][one\na,b,c,d\n\ntwo]", "a line of a text may look like one");
	reads_as(guessed, 3, "1,2,C:\\dir\\\n3,4,5\n", " escapes lines", "a backslash at the end of a line takes no record with it");
	reads_as(guessed, 3, "1,2,C:\\dir\\\r\n3,4,5\n", " escapes lines", "also before CR LF");
	reads_as(guessed, 3, "1,2,one\\\ntwo\n", "1:[1][2][one\ntwo]", "but a line of a text");
	reads_as(guessed, 3, "1,\"a\nb,c\n", " never closed", "one that does not close is a fault of its own");
	reads_as(guessed, 3, "1,2,\"one\ntwo\"\n", "1:[1][2][one\ntwo]", "text of several lines is no such thing");
	reads_as((CsvFormat) {.delimiter = ',', .quote = '"'}, 3, "1,2,\"oops\n3,4,5\n6,7,\"\n",
			 "1:[1][2][oops\n3,4,5\n6,7,]", "nor if it was said that text is enclosed");
	reads_as((CsvFormat) {.delimiter = ','}, 3, "1,2,\"oops\n3,4,5\n6,7,\"\n", "1:[1][2][\"oops] 2:[3][4][5] 3:[6][7][\"]",
			 "where nothing is enclosed a quote is data");
}

static void
test_escapes(void)
{
	CsvFormat	everywhere = {.delimiter = ',', .quote = '"', .escape = CSV_ESCAPE_EVERYWHERE};
	CsvFormat	nowhere = {.delimiter = ',', .quote = '"', .escape = CSV_ESCAPE_NOWHERE};

	reads_as(guessed, 2, "red\\, blue,5\\\" wide\nC:\\new,a\\\\b\n", "1:[red, blue][5\" wide] 2:[C:\\new][a\\b]",
			 "a backslash escapes a delimiter, a quote and itself, and is data before anything else");
	reads_as(guessed, 2, "a\\\nb,c\\\r\nd\ne,f\n", "1:[a\nb][c\r\nd] 4:[e][f]", "it escapes a line break");
	reads_as(guessed, 2, "\\\"a\\\",b\n", "1:[\"a\"][b]", "and a quote at the beginning");
	reads_as(guessed, 2, "a,b\\", "1:[a][b\\]", "the last byte escapes nothing");
	reads_as(everywhere, 2, "\"say \\\"hi\\\", \\n\\\\\",b\n", "1:[say \"hi\", \\n\\][b]", "everywhere if it was said");
	reads_as(nowhere, 2, "a\\,b\\\\\n", "1:[a\\][b\\\\]", "or nowhere");
	reads_as(nowhere, 2, "\\N,b\n", "1:<null>[b]", "\\N is null all the same");
	reads_as((CsvFormat) {.delimiter = '\t', .quote = '"'}, 2, "a\\\tb\t\"c\"\t\n", "1:[a\tb][c][]", "a tab may be the delimiter");
}

static void
test_limits(void)
{
	static char long_text[CSV_RECORD_MAX + 16];
	size_t		taken;

	is_text(read_in_pieces(guessed, 2, "a,b\nc\0,d\n", 9, 9), "1:[a][b] zero byte", "a zero byte");
	is_text(read_in_pieces(guessed, 2, "\"\0\"", 3, 1), " zero byte", "also in enclosed text");
	memset(long_text, ',', sizeof(long_text));
	long_text[CSV_RECORD_MAX - 1] = '\n';
	csv_begin(&reader, guessed);
	is_number(csv_take(&reader, long_text, sizeof(long_text), &taken), CSV_RECORD, "a record as long as it may be");
	is_number(taken, CSV_RECORD_MAX, "is taken whole");
	is_number(reader.count, CSV_RECORD_MAX, "its fields are counted");
	memset(long_text, 'x', sizeof(long_text));
	is_number(csv_take(&reader, long_text, sizeof(long_text), &taken), CSV_TOO_LONG, "one more byte is too many");
	long_text[0] = '"';
	csv_begin(&reader, guessed);
	is_number(csv_take(&reader, long_text, sizeof(long_text), &taken), CSV_TOO_LONG, "also of enclosed text");
	is_number(reader.quote_line, 1, "and it is known where that began");
}

int
main(void)
{
	test_plain();
	test_enclosed();
	test_quotes_as_data();
	test_escapes();
	test_limits();
	return done_testing();
}
