/*
 * address_hash.c: a keyed hash of an address, alike for all ways to write it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "address_hash.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(reengage_hash_addresses);

static bool
is_telephone_number(const char *address)
{
	return strspn(address, "+0123456789 ().-/") == strlen(address) &&
		strpbrk(address, "0123456789") != NULL;
}

/* As it is compared. */
static char *
normal_form(const char *address)
{
	bool		number = is_telephone_number(address);
	size_t		length = strlen(address);
	char	   *form;
	char	   *end;

	while (length > 0 && address[length - 1] == ' ')
		length--;
	while (length > 0 && *address == ' ')
	{
		address++;
		length--;
	}
	form = end = palloc(length + 1);
	for (size_t i = 0; i < length; i++)
		if (!number || strchr(" ().-/", address[i]) == NULL)
			*end++ = pg_ascii_tolower((unsigned char) address[i]);
	*end = '\0';
	return form;
}

char *
address_hash(const AddressKey *key, const char *address)
{
	char	   *form;
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *hex;
	pg_hmac_ctx *context;
	bool		hashed;

	if (address == NULL || key->length == 0)
		return NULL;
	form = normal_form(address);
	context = pg_hmac_create(PG_SHA256);
	hashed = context != NULL &&
		pg_hmac_init(context, key->bytes, key->length) == 0 &&
		pg_hmac_update(context, (const uint8 *) form, strlen(form)) == 0 &&
		pg_hmac_final(context, digest, sizeof(digest)) == 0;
	pg_hmac_free(context);
	if (!hashed)
		elog(ERROR, "could not compute the HMAC of an address");
	hex = palloc(ADDRESS_HASH_LENGTH + 1);
	for (int i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

static text *
hash_as_text(const AddressKey *key, const char *address)
{
	const char *utf8 = to_utf8(address);

	if (utf8 == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("the address cannot be put into UTF-8: \"%s\"", address)));
	return cstring_to_text(address_hash(key, utf8));
}

/* Of addresses in the database's encoding; null of null. */
Datum
reengage_hash_addresses(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	AddressKey	key = {.bytes = (uint8 *) VARDATA_ANY(bytes), .length = VARSIZE_ANY_EXHDR(bytes)};
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int			lower = 1;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			values[i] = PointerGetDatum(hash_as_text(&key, TextDatumGetCString(values[i])));
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, 1, &count, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}
