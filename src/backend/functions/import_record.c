/*
 * import_record.c: what the fields of a record of history mean.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "address_form.h"
#include "base/address_hash.h"
#include "base/rows.h"
#include "functions/import_record.h"
#include "written_time.h"

PG_FUNCTION_INFO_V1(reengage_import_read_record);
PG_FUNCTION_INFO_V1(reengage_import_said);

/* The arguments, in their order. */
enum
{
	LAST_INBOUND_AT,
	ABANDONED_AT,
	EXTRACTED_AT,
	TIMES,
	ADDRESS = TIMES,
	CHANNEL,
	COUNTRY_CODE,
	DATE_ORDER
};

/* The columns of the result behind the times. */
enum
{
	RESULT_ADDRESS = TIMES,
	RESULT_CUSTOMER,
	RESULT_FIT_ADDRESS,
	RESULT_FIT_CHANNEL,
	RESULT_COLUMNS
};

static char *
text_argument(FunctionCallInfo fcinfo, int place)
{
	return PG_ARGISNULL(place) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(place));
}

int
date_order_named(const char *name)
{
	DateOrder	order = DATE_ORDER_UNKNOWN;

	if (name != NULL && !date_order_read(name, &order))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no order of day, month and year", name),
				 errhint("date_order is dmy, mdy or ymd.")));
	return order;
}

static bool
has_control_bytes(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < ' ' || *text == 0x7f)
			return true;
	return false;
}

ReadAddress
record_address(const char *said, const char *channel, const char *country_code)
{
	const char *address = said == NULL ? NULL : to_utf8(said);
	char	   *spelling;
	char	   *form;
	ReadAddress read;

	if (address == NULL)
		return (ReadAddress) {NULL};
	spelling = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	if (address_spelling(spelling, address, channel, country_code) != ADDRESS_FAULTLESS ||
		address_form(form, address, channel, country_code) != ADDRESS_FAULTLESS)
		return (ReadAddress) {NULL};
	read = (ReadAddress) {from_utf8(spelling), from_utf8(form), !has_control_bytes(spelling)};
	/* in another encoding there may be no word for it */
	return read.spelling != NULL && read.form != NULL ? read : (ReadAddress) {NULL};
}

bool
record_channel_fits(const char *word)
{
	return word == NULL || (word[0] != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0');
}

bool
record_time(const char *said, int date_order, TimestampTz *time)
{
	int64		since_1970;

	if (said == NULL || !written_time_read(said, (DateOrder) date_order, &since_1970))
		return false;
	*time = since_1970 - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return true;
}

/* Looked up once for a query: that takes longer than reading a record. */
static TupleDesc
result_descriptor(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		TupleDesc	descriptor;

		if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "the result of import_read_record() is not a row");
		fcinfo->flinfo->fn_extra = BlessTupleDesc(descriptor);
		MemoryContextSwitchTo(before);
	}
	return fcinfo->flinfo->fn_extra;
}

/* Null is what cannot be read. */
Datum
reengage_import_read_record(PG_FUNCTION_ARGS)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS];
	const char *channel = text_argument(fcinfo, CHANNEL);
	int			order = date_order_named(text_argument(fcinfo, DATE_ORDER));
	ReadAddress address = record_address(text_argument(fcinfo, ADDRESS), channel, text_argument(fcinfo, COUNTRY_CODE));

	memset(nulls, true, sizeof(nulls));
	for (int i = 0; i < TIMES; i++)
	{
		TimestampTz time;

		nulls[i] = !record_time(text_argument(fcinfo, i), order, &time);
		if (!nulls[i])
			values[i] = TimestampTzGetDatum(time);
	}
	values[RESULT_FIT_ADDRESS] = BoolGetDatum(address.fits);
	values[RESULT_FIT_CHANNEL] = BoolGetDatum(record_channel_fits(channel));
	nulls[RESULT_FIT_ADDRESS] = nulls[RESULT_FIT_CHANNEL] = false;
	if (address.spelling != NULL)
	{
		values[RESULT_ADDRESS] = CStringGetTextDatum(address.spelling);
		values[RESULT_CUSTOMER] = CStringGetTextDatum(address.form);
		nulls[RESULT_ADDRESS] = nulls[RESULT_CUSTOMER] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_descriptor(fcinfo), values, nulls)));
}

static bool
is_blank_byte(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Null is what says nothing. */
Datum
reengage_import_said(PG_FUNCTION_ARGS)
{
	text	   *field = PG_GETARG_TEXT_PP(0);
	const char *start = VARDATA_ANY(field);
	const char *end = start + VARSIZE_ANY_EXHDR(field);

	while (start < end && is_blank_byte(*start))
		start++;
	while (start < end && is_blank_byte(end[-1]))
		end--;
	if (start == end || (end - start == 2 && memcmp(start, "\\N", 2) == 0))
		PG_RETURN_NULL();
	/* mostly */
	if (end - start == VARSIZE_ANY_EXHDR(field))
		PG_RETURN_TEXT_P(field);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(start, end - start));
}
