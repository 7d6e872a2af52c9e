/*
 * address_hash.h: how customers are told apart without keeping their addresses.
 */
#ifndef REENGAGE_ADDRESS_HASH_H
#define REENGAGE_ADDRESS_HASH_H

#include "postgres.h"

/* Length of a hash in hex, without its end. */
#define ADDRESS_HASH_LENGTH 64

/* This installation's key. */
typedef struct AddressKey
{
	uint8	   *bytes;
	int			length;			/* 0: there is none */
} AddressKey;

/*
 * HMAC-SHA256, in hex, of the address as it is compared: without blanks around
 * it, in lower case (ASCII), and a telephone number without its punctuation.
 * NULL without address or key.
 */
extern char *address_hash(const AddressKey *key, const char *address);

#endif
