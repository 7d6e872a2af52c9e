/*
 * address_hash.c: a keyed hash of an address, alike for all ways to write it.
 */
#include "postgres.h"

#include "common/hmac.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "address_hash.h"
#include "rows.h"
#include "store.h"

PG_FUNCTION_INFO_V1(reengage_address_hash);

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

/* address_hash(text): the address in UTF-8, as the worker knows it. */
Datum
reengage_address_hash(PG_FUNCTION_ARGS)
{
	const char *address = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *utf8 = to_utf8(address);
	AddressKey	key;
	char	   *hash;
	text	   *result;

	if (utf8 == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("the address cannot be put into UTF-8: \"%s\"", address)));
	SPI_connect();
	key = store_address_key();
	hash = address_hash(&key, utf8);
	result = hash ? SPI_palloc(VARHDRSZ + ADDRESS_HASH_LENGTH) : NULL;
	if (result != NULL)
	{
		SET_VARSIZE(result, VARHDRSZ + ADDRESS_HASH_LENGTH);
		memcpy(VARDATA(result), hash, ADDRESS_HASH_LENGTH);
	}
	SPI_finish();
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}
