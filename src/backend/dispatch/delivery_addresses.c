/*
 * delivery_addresses.c: which address a delivery means on which channel.
 */
#include "postgres.h"

#include "address_form.h"
#include "base/address_hash.h"
#include "dispatch/delivery_addresses.h"
#include "parties.h"

static const char *
country_code(const Delivery *delivery)
{
	return delivery->server->options.country_code;
}

static char *
form_of(const Delivery *delivery, const char *address, const char *channel)
{
	return meant_address(address, channel, country_code(delivery));
}

static const char *
own_channel(const Delivery *delivery)
{
	return delivery->nudge.channel != NULL ? delivery->nudge.channel : delivery->look.channel;
}

char *
delivery_own_address(const Delivery *delivery)
{
	return form_of(delivery, delivery->nudge.address, own_channel(delivery));
}

char *
delivery_address(const Delivery *delivery)
{
	const Recipient *recipient = &delivery->post.recipient;

	if (recipient->to_address != NULL)
		return form_of(delivery, recipient->to_address, recipient->channel);
	if (delivery->look.customer_address != NULL)
		return form_of(delivery, delivery->look.customer_address, delivery_channel(delivery));
	return delivery_own_address(delivery);
}

static const char *
fault_of(const Delivery *delivery, const char *address, const char *channel)
{
	char	   *form;

	if (address == NULL || channel == NULL)
		return NULL;
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	return address_fault_name(address_form(form, address, channel, country_code(delivery)));
}

const char *
delivery_address_fault(const Delivery *delivery)
{
	return fault_of(delivery, delivery->look.customer_address, delivery->look.channel);
}

const char *
delivery_own_address_fault(const Delivery *delivery)
{
	return fault_of(delivery, delivery->nudge.address, own_channel(delivery));
}

const char *
delivery_address_to_send(const Delivery *delivery, const Recipient *recipient)
{
	const char *address = recipient->to_address;
	char	   *form = MemoryContextAlloc(delivery->memory, strlen(address) + ADDRESS_FORM_ROOM);

	/* what has no form was refused */
	(void) address_to_send(form, address, recipient->channel, country_code(delivery),
						   address == delivery->look.customer_address);
	return form;
}

/*
 * Neither conversation tells of a customer: whose the one that was found is,
 * another nudge may have claimed.  Of a session of ours it is the address that
 * it was made for.
 */
static bool
is_only_claimed(const Delivery *delivery, const ReplyMessage *reply)
{
	return reply->customer_address == NULL && delivery->look.customer_address == NULL &&
		delivery->post.recipient.to_address != NULL && delivery->other_made_at == 0;
}

bool
delivery_is_with_others(const Delivery *delivery, const ReplyMessage *reply)
{
	const Recipient *recipient = &delivery->post.recipient;
	const char *channel = recipient->channel ? recipient->channel : "";
	/* an integration is not what a conversation calls its business side */
	bool		by_number = !delivery->server->options.dialect->notifies_addresses || strcmp(channel, "sms") == 0;
	Parties		found = {reply->channel, reply->customer_address, reply->business_address};
	Parties		dead = {delivery->look.channel, delivery->look.customer_address, delivery->look.business_address};
	Parties		planned = {channel, recipient->to_address, by_number ? recipient->from_address : NULL};

	return is_only_claimed(delivery, reply) ||
		!parties_are_same(&found, &dead, &planned, country_code(delivery));
}
