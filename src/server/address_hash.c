/*
 * address_hash.c: a keyed hash of an address, alike for all ways to write it.
 */
#include "postgres.h"

#include "common/hmac.h"
#include "common/sha2.h"

#include "address_hash.h"

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
