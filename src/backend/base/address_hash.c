/*
 * address_hash.c: the normal forms of addresses, and their keyed hashes.
 */
#include "postgres.h"

#include "common/hmac.h"
#include "common/sha2.h"
#include "utils/builtins.h"

#include "address_form.h"
#include "base/address_hash.h"

char *
normal_address(const char *address, const char *channel, const char *country_code)
{
	char	   *form;

	if (address == NULL)
		return NULL;
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	return address_form(form, address, channel, country_code) == ADDRESS_FAULTLESS ? form : NULL;
}

char *
meant_address(const char *address, const char *channel, const char *country_code)
{
	char	   *form = normal_address(address, channel, country_code);

	if (form == NULL && channel == NULL)
		form = normal_address(address, "whatsapp", NULL);
	if (form == NULL && channel == NULL)
		form = normal_address(address, "open", NULL);
	return form;
}

char *
address_hash(const AddressKey *key, const char *form)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *hex;
	pg_hmac_ctx *context;
	bool		hashed;

	if (form == NULL || key->length == 0)
		return NULL;
	context = pg_hmac_create(PG_SHA256);
	hashed = context != NULL &&
		pg_hmac_init(context, key->bytes, key->length) == 0 &&
		pg_hmac_update(context, (const uint8 *) form, strlen(form)) == 0 &&
		pg_hmac_final(context, digest, sizeof(digest)) == 0;
	pg_hmac_free(context);
	if (!hashed)
		elog(ERROR, "could not compute the HMAC of an address");
	hex = palloc0(ADDRESS_HASH_LENGTH + 1);
	hex_encode((const char *) digest, ADDRESS_HASH_BYTES, hex);
	return hex;
}
