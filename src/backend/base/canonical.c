/*
 * canonical.c: texts, ids, numbers and times.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/canonical.h"
#include "base/rows.h"

const char *
canonical_bytes(const char *text, int *length)
{
	char	   *converted;

	/* the bytes of a database without an encoding are taken as they are */
	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return text;
	converted = to_utf8(pnstrdup(text, *length));
	/* so are those that UTF-8 has nothing for: they are in lineage, and their day is to be closed */
	if (converted == NULL)
		return text;
	*length = strlen(converted);
	return converted;
}

/* Nulls are told from texts, and the ends of texts from what is in them. */
static void
append_escaped(StringInfo text, const char *bytes, int length)
{
	const char *end = bytes + length;

	enlargeStringInfo(text, 2 * length);
	for (const char *byte = bytes; byte < end; byte++)
	{
		if (*byte != '~' && *byte != '|')
		{
			text->data[text->len++] = *byte;
			continue;
		}
		text->data[text->len++] = '~';
		text->data[text->len++] = *byte == '~' ? 't' : 'p';
	}
	text->data[text->len] = '\0';
}

static void
append_text(StringInfo text, Datum value)
{
	struct varlena *varlena = PG_DETOAST_DATUM_PACKED(value);
	int			length = VARSIZE_ANY_EXHDR(varlena);
	const char *bytes = canonical_bytes(VARDATA_ANY(varlena), &length);

	append_escaped(text, bytes, length);
}

static void
append_uuid(StringInfo text, const pg_uuid_t *id)
{
	static const char digits[] = "0123456789abcdef";

	enlargeStringInfo(text, 36);
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text->data[text->len++] = '-';
		text->data[text->len++] = digits[id->data[i] >> 4];
		text->data[text->len++] = digits[id->data[i] & 0xF];
	}
	text->data[text->len] = '\0';
}

/* The last years that PostgreSQL has are more microseconds after 1970 than an int64 holds. */
static void
append_time(StringInfo text, TimestampTz time)
{
	const int64 epoch = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	char		number[MAXINT8LEN + 1];

	if (TIMESTAMP_NOT_FINITE(time))
		appendStringInfoString(text, TIMESTAMP_IS_NOBEGIN(time) ? "-infinity" : "infinity");
	else if (time >= 0)
		appendBinaryStringInfo(text, number, pg_ulltoa_n((uint64) time + epoch, number));
	else
		appendBinaryStringInfo(text, number, pg_lltoa(time + epoch, number));
}

static void
append_integer(StringInfo text, int32 value)
{
	char		number[12];

	appendBinaryStringInfo(text, number, pg_ltoa(value, number));
}

static void
append_json(StringInfo text, Jsonb *value)
{
	StringInfoData lines;

	initStringInfo(&lines);
	append_canonical_json(&lines, value);
	append_escaped(text, lines.data, lines.len);
	pfree(lines.data);
}

void
append_canonical(StringInfo text, Oid type, Datum value, bool isnull)
{
	if (isnull)
	{
		appendStringInfoString(text, "~n");
		return;
	}
	switch (type)
	{
		case TEXTOID:
			append_text(text, value);
			break;
		case UUIDOID:
			append_uuid(text, DatumGetUUIDP(value));
			break;
		case INT4OID:
			append_integer(text, DatumGetInt32(value));
			break;
		case TIMESTAMPTZOID:
			append_time(text, DatumGetTimestampTz(value));
			break;
		case JSONBOID:
			append_json(text, DatumGetJsonbP(value));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a value of type %s has no canonical text", format_type_be(type))));
	}
}
