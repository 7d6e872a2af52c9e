/*
 * delivery_addresses.h: the addresses of a delivery, as they are compared and as
 * they are sent.
 */
#ifndef REENGAGE_DELIVERY_ADDRESSES_H
#define REENGAGE_DELIVERY_ADDRESSES_H

#include "dispatch/deliveries.h"
#include "message.h"

/*
 * The customer that the delivery is about, and whom the nudge itself names: normal
 * forms in the current memory context; NULL: not known, or no address.
 */
extern char *delivery_address(const Delivery *delivery);
extern char *delivery_own_address(const Delivery *delivery);

/* Why nothing can be sent there, as a reason; NULL: it can, or nobody knows the channel. */
extern const char *delivery_address_fault(const Delivery *delivery);
extern const char *delivery_own_address_fault(const Delivery *delivery);

/* The recipient's address as the API gets it, in the delivery's memory. */
extern const char *delivery_address_to_send(const Delivery *delivery, const Recipient *recipient);

/* Whether a second look found a conversation of another customer, or with another business side. */
extern bool delivery_is_with_others(const Delivery *delivery, const ReplyMessage *reply);

#endif
