/*
 * addresses.c: normal forms of addresses, and their hashes, for SQL: many at
 * once, as each call costs more than what it does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/address_hash.h"
#include "base/rows.h"
#include "config/options.h"

PG_FUNCTION_INFO_V1(reengage_hash_addresses);
PG_FUNCTION_INFO_V1(reengage_normal_addresses);
PG_FUNCTION_INFO_V1(reengage_country_code_of);

typedef struct Texts
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Texts;

static Texts
texts_of(ArrayType *array)
{
	Texts		texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts.values, &texts.nulls, &texts.count);
	return texts;
}

/* In UTF-8; NULL: it is null, or cannot be converted. */
static char *
text_at(const Texts *texts, int place)
{
	if (texts == NULL || place >= texts->count || texts->nulls[place])
		return NULL;
	return to_utf8(TextDatumGetCString(texts->values[place]));
}

static void
put_text(Texts *texts, int place, const char *text)
{
	texts->nulls[place] = text == NULL;
	texts->values[place] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static ArrayType *
array_of(const Texts *texts)
{
	int			count = texts->count;
	int			lower = 1;

	return construct_md_array(texts->values, texts->nulls, 1, &count, &lower, TEXTOID, -1, false, TYPALIGN_INT);
}

/* Of forms in the database's encoding; null of null, and of what cannot be put into UTF-8. */
Datum
reengage_hash_addresses(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	AddressKey	key = {.bytes = (uint8 *) VARDATA_ANY(bytes), .length = VARSIZE_ANY_EXHDR(bytes)};
	Texts		texts = texts_of(PG_GETARG_ARRAYTYPE_P(1));

	for (int i = 0; i < texts.count; i++)
		put_text(&texts, i, address_hash(&key, text_at(&texts, i)));
	PG_RETURN_ARRAYTYPE_P(array_of(&texts));
}

Datum
reengage_country_code_of(PG_FUNCTION_ARGS)
{
	ForeignServer *server = reengage_server(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const char *code = server != NULL ? country_code_of(server->options) : NULL;

	if (code == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(code));
}

Datum
reengage_normal_addresses(PG_FUNCTION_ARGS)
{
	Texts		addresses;
	Texts		channels = {.count = 0};
	const char *country_code = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	addresses = texts_of(PG_GETARG_ARRAYTYPE_P(0));
	if (!PG_ARGISNULL(1))
		channels = texts_of(PG_GETARG_ARRAYTYPE_P(1));
	for (int i = 0; i < addresses.count; i++)
		put_text(&addresses, i, from_utf8(normal_address(text_at(&addresses, i), text_at(&channels, i), country_code)));
	PG_RETURN_ARRAYTYPE_P(array_of(&addresses));
}
