/*
 * flight_addresses.h: the addresses of a flight, as they are compared and as
 * they are sent.
 */
#ifndef REENGAGE_FLIGHT_ADDRESSES_H
#define REENGAGE_FLIGHT_ADDRESSES_H

#include "dispatch/flights.h"
#include "message.h"

/*
 * The customer that the flight is about, and whom the nudge itself names: normal
 * forms in the current memory context; NULL: not known, or no address.
 */
extern char *flight_customer(const Flight *flight);
extern char *flight_own_customer(const Flight *flight);

/* Why nothing can be sent there, as a reason; NULL: it can, or nobody knows the channel. */
extern const char *flight_customer_fault(const Flight *flight);
extern const char *flight_own_fault(const Flight *flight);

/* The recipient's address as the API gets it, in the flight's memory. */
extern const char *flight_address_to_send(const Flight *flight, const Recipient *recipient);

/* Whether a second look found a conversation of another customer, or with another business side. */
extern bool flight_is_with_others(const Flight *flight, const ReplyMessage *reply);

#endif
