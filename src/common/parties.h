/*
 * parties.h: who is in a conversation: a customer and a business side.
 */
#ifndef REENGAGE_PARTIES_H
#define REENGAGE_PARTIES_H

#include <stdbool.h>

/* NULL: the API does not tell. */
typedef struct Parties
{
	const char *channel;
	const char *customer;
	const char *business;
} Parties;

/*
 * Whether the conversation that was "found" is with the customer whom a new
 * session is "planned" to address, on its channel, and with the business side of
 * the dead one or that of the new session: their normal forms are compared.
 *
 * What the dead one told, the other one must tell, too.  "country_code" is that
 * of numbers that do not name theirs; NULL: not known.
 */
extern bool parties_are_same(const Parties *found, const Parties *dead, const Parties *planned,
							 const char *country_code);

#endif
