/*
 * address_hash.h: how customers are told apart without keeping their addresses.
 */
#ifndef REENGAGE_ADDRESS_HASH_H
#define REENGAGE_ADDRESS_HASH_H

#include "postgres.h"

/*
 * Half of an HMAC-SHA256, which is what no two customers have in common, written
 * in each row of lineage; its length in hex, without its end.
 */
#define ADDRESS_HASH_BYTES 16
#define ADDRESS_HASH_LENGTH (2 * ADDRESS_HASH_BYTES)

/* This installation's key. */
typedef struct AddressKey
{
	uint8	   *bytes;
	int			length;			/* 0: there is none */
} AddressKey;

/*
 * The form in which an address is compared (see address_form.h), in the
 * current memory context.  NULL: there is no address, or it has no form.
 */
extern char *normal_address(const char *address, const char *channel, const char *country_code);

/*
 * The same of what a nudge names.  On a channel that nobody tells (NULL), digits
 * that may be an international number are one, so that an opt-out of it holds.
 */
extern char *meant_address(const char *address, const char *channel, const char *country_code);

/* The first half of the HMAC-SHA256, in hex, of a normal form.  NULL without form or key. */
extern char *address_hash(const AddressKey *key, const char *form);

#endif
