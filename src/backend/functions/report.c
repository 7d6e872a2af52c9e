/*
 * report.c: what report() cannot say in SQL: text as HTML, and what a server's
 * options come to.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/rows.h"
#include "config/options.h"

PG_FUNCTION_INFO_V1(reengage_html);
PG_FUNCTION_INFO_V1(reengage_requests_per_minute);

/* What stands for a character that a page cannot show. */
#define REPLACEMENT_CHARACTER 0xFFFD

/*
 * Nobody sees these, and HTML, XML or both forbid them, or they turn round what
 * stands beside them.
 */
static bool
is_no_letter(pg_wchar c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0)
		|| (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)
		|| (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

static void
append_character(StringInfo html, pg_wchar c)
{
	if (c == '\t' || c == '\n' || c == '\r')
		appendStringInfoChar(html, ' ');
	else if (is_no_letter(c))
		appendStringInfo(html, "&#%d;", REPLACEMENT_CHARACTER);
	else if (c > 0x7E || strchr("<>&\"'", (int) c) != NULL)
		appendStringInfo(html, "&#%u;", (unsigned int) c);
	else
		appendStringInfoChar(html, (char) c);
}

/* html(text): in ASCII, so that it is right whatever the encodings of database and client are */
Datum
reengage_html(PG_FUNCTION_ARGS)
{
	const char *value = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *utf8 = to_utf8(value);
	StringInfoData html;

	initStringInfo(&html);
	if (utf8 == NULL)
	{
		/* bytes that have no meaning here */
		for (; *value != '\0'; value++)
			append_character(&html, IS_HIGHBIT_SET(*value) ? REPLACEMENT_CHARACTER : (pg_wchar) *value);
	}
	else
	{
		while (*utf8 != '\0')
		{
			pg_wchar	c = utf8_to_unicode((const unsigned char *) utf8);

			append_character(&html, c);
			utf8 += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		}
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(html.data, html.len));
}

/* requests_per_minute(server) */
Datum
reengage_requests_per_minute(PG_FUNCTION_ARGS)
{
	ForeignServer *server = reengage_server(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (server == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT32((int32) options_read(server->options).courier.max_requests_per_minute);
}
