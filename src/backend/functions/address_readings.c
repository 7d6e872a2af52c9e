/*
 * address_readings.c: whom an opt-out means.
 *
 * An address without a channel stands for every customer that it may plausibly
 * be, so that an opt-out holds whichever channel that customer is met on.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "address_form.h"
#include "base/rows.h"
#include "channels.h"

PG_FUNCTION_INFO_V1(reengage_address_readings);
PG_FUNCTION_INFO_V1(reengage_known_channels);

/* A channel of each kind: one that is not known has addresses of no other. */
#define ANY_NUMBER "sms"
#define ANY_EMAIL "email"
#define ANY_OPAQUE "open"

typedef struct Readings
{
	ReturnSetInfo *result;
	const char *address;		/* in UTF-8 */
	AddressFault fault;			/* the first one; of interest while nothing is read */
	int			count;
	const char **forms;			/* room for one of each country, and the others */
} Readings;

static const char *
kind_name(AddressKind kind)
{
	switch (kind)
	{
		case ADDRESS_NUMBER:
			return "telephone number";
		case ADDRESS_EMAIL:
			return "e-mail address";
		case ADDRESS_OPAQUE:
			break;
	}
	return "id";
}

static char *
masked_address(const char *text)
{
	char	   *mask = palloc(strlen(text) + 8);

	address_mask(mask, strlen(text) + 8, text);
	return from_utf8(mask);
}

static void
put_reading(Readings *readings, AddressKind kind, const char *form)
{
	Datum		values[3];
	bool		nulls[3] = {false};
	char	   *stored = from_utf8(form);

	if (stored == NULL)
		return;
	values[0] = CStringGetTextDatum(kind_name(kind));
	values[1] = CStringGetTextDatum(stored);
	values[2] = CStringGetTextDatum(masked_address(form));
	tuplestore_putvalues(readings->result->setResult, readings->result->setDesc, values, nulls);
	readings->forms[readings->count++] = form;
}

/* As the address is read on the channel.  Nothing is read twice. */
static void
read_as(Readings *readings, const char *channel, const char *country_code)
{
	char	   *form = palloc(strlen(readings->address) + ADDRESS_FORM_ROOM);
	AddressFault fault = address_form(form, readings->address, channel, country_code);

	if (readings->fault == ADDRESS_FAULTLESS)
		readings->fault = fault;
	if (fault != ADDRESS_FAULTLESS)
		return;
	for (int i = 0; i < readings->count; i++)
		if (strcmp(readings->forms[i], form) == 0)
			return;
	put_reading(readings, address_kind(channel), form);
}

/* A number that has punctuation in it is nobody's id. */
static bool
may_be_id(const char *address)
{
	return address_apparent_kind(address, NULL) != ADDRESS_NUMBER || address[strspn(address, "+0123456789")] == '\0';
}

/*
 * A number that does not name its country, where nobody knows it, may be a
 * customer's id: but whoever gives it means a person's telephone, and would
 * not hear that the opt-out is of no use there.
 */
static void
read_as_any(Readings *readings, Datum *country_codes, int count)
{
	const char *address = readings->address;
	AddressKind kind = address_apparent_kind(address, NULL);

	for (int i = 0; i < count; i++)
		read_as(readings, ANY_NUMBER, TextDatumGetCString(country_codes[i]));
	if (count == 0)
		read_as(readings, ANY_NUMBER, NULL);
	if (readings->count == 0 && (kind == ADDRESS_NUMBER || readings->fault == ADDRESS_DAMAGED))
		return;
	if (kind == ADDRESS_NUMBER)
		read_as(readings, "whatsapp", NULL);
	if (kind == ADDRESS_EMAIL)
		read_as(readings, ANY_EMAIL, NULL);
	if (readings->count == 0 && address_clumsy(address) != ADDRESS_FAULTLESS)
	{
		readings->fault = address_clumsy(address);
		return;
	}
	if (may_be_id(address))
		read_as(readings, ANY_OPAQUE, NULL);
}

static void
read_on(Readings *readings, const char *channel, Datum *country_codes, int count)
{
	for (int i = 0; i < count; i++)
		read_as(readings, channel, TextDatumGetCString(country_codes[i]));
	if (count == 0)
		read_as(readings, channel, NULL);
}

/* Of a customer no more is shown than the mask. */
static void
refuse_address(const char *shown, const char *detail, bool may_be_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid address: \"%s\"", shown),
			 errdetail("%s", detail),
			 may_be_id ? errhint("If it is an id on another channel, name that channel.") : 0));
}

/* address_readings(address, channel, country_codes) */
Datum
reengage_address_readings(PG_FUNCTION_ARGS)
{
	Readings	readings = {.address = to_utf8(text_to_cstring(PG_GETARG_TEXT_PP(0)))};
	const char *channel = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum	   *country_codes;
	bool	   *nulls;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	readings.result = (ReturnSetInfo *) fcinfo->resultinfo;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &country_codes, &nulls, &count);
	if (readings.address == NULL)
		refuse_address("", "It cannot be put into UTF-8.", false);
	readings.forms = palloc(sizeof(char *) * (count + 3));
	if (channel != NULL)
		read_on(&readings, channel, country_codes, count);
	else
		read_as_any(&readings, country_codes, count);
	if (readings.count == 0 && readings.fault == ADDRESS_NOTHING)
		refuse_address(from_utf8(readings.address), address_fault_text(readings.fault), false);
	if (readings.count == 0)
		refuse_address(masked_address(readings.address), address_fault_text(readings.fault), channel == NULL);
	return (Datum) 0;
}

/* The words that channels are known by. */
Datum
reengage_known_channels(PG_FUNCTION_ARGS)
{
#define CHANNEL(word) CStringGetTextDatum(word),
	Datum		words[] = {KNOWN_CHANNELS};
#undef CHANNEL

	PG_RETURN_ARRAYTYPE_P(construct_array(words, lengthof(words), TEXTOID, -1, false, TYPALIGN_INT));
}
