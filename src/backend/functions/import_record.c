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

static DateOrder
date_order_of(const char *name)
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

/* The address as it is sent to, and as it is compared. */
static void
read_address(const char *given, const char *channel, const char *country_code, Datum *values, bool *nulls)
{
	const char *address = given == NULL ? NULL : to_utf8(given);
	char	   *spelling;
	char	   *form;

	if (address == NULL)
		return;
	spelling = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	if (address_spelling(spelling, address, channel, country_code) != ADDRESS_FAULTLESS ||
		address_form(form, address, channel, country_code) != ADDRESS_FAULTLESS)
		return;
	values[RESULT_ADDRESS] = CStringGetTextDatum(from_utf8(spelling));
	values[RESULT_CUSTOMER] = CStringGetTextDatum(from_utf8(form));
	nulls[RESULT_ADDRESS] = nulls[RESULT_CUSTOMER] = false;
	values[RESULT_FIT_ADDRESS] = BoolGetDatum(!has_control_bytes(spelling));
}

/* What a nudge takes for one. */
static bool
is_channel(const char *word)
{
	return word[0] != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
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
	DateOrder	order = date_order_of(text_argument(fcinfo, DATE_ORDER));

	memset(nulls, true, sizeof(nulls));
	for (int i = 0; i < TIMES; i++)
	{
		const char *said = text_argument(fcinfo, i);
		int64		time;

		if (said == NULL || !written_time_read(said, order, &time))
			continue;
		values[i] = TimestampTzGetDatum(time - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
		nulls[i] = false;
	}
	values[RESULT_FIT_ADDRESS] = BoolGetDatum(false);
	values[RESULT_FIT_CHANNEL] = BoolGetDatum(channel == NULL || is_channel(channel));
	nulls[RESULT_FIT_ADDRESS] = nulls[RESULT_FIT_CHANNEL] = false;
	read_address(text_argument(fcinfo, ADDRESS), channel, text_argument(fcinfo, COUNTRY_CODE), values, nulls);
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
