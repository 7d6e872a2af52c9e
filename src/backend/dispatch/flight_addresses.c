/*
 * flight_addresses.c: which address a flight means on which channel.
 */
#include "postgres.h"

#include "address_form.h"
#include "base/address_hash.h"
#include "dispatch/flight_addresses.h"
#include "parties.h"

static const char *
country_code(const Flight *flight)
{
	return flight->server->options.country_code;
}

/*
 * On a channel that nobody tells, digits that may be an international number
 * are one: so that an opt-out of it holds.
 */
static char *
form_of(const Flight *flight, const char *address, const char *channel)
{
	char	   *form = normal_address(address, channel, country_code(flight));

	if (form == NULL && channel == NULL)
		form = normal_address(address, "whatsapp", NULL);
	if (form == NULL && channel == NULL)
		form = normal_address(address, "open", NULL);
	return form;
}

static const char *
own_channel(const Flight *flight)
{
	return flight->nudge.channel != NULL ? flight->nudge.channel : flight->channel;
}

char *
flight_own_customer(const Flight *flight)
{
	return form_of(flight, flight->nudge.address, own_channel(flight));
}

char *
flight_customer(const Flight *flight)
{
	const Recipient *recipient = &flight->post.recipient;

	if (recipient->to_address != NULL)
		return form_of(flight, recipient->to_address, recipient->channel);
	if (flight->customer_address != NULL)
		return form_of(flight, flight->customer_address, flight_channel(flight));
	return flight_own_customer(flight);
}

static const char *
fault_of(const Flight *flight, const char *address, const char *channel)
{
	char	   *form;

	if (address == NULL || channel == NULL)
		return NULL;
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	return address_fault_name(address_form(form, address, channel, country_code(flight)));
}

const char *
flight_customer_fault(const Flight *flight)
{
	return fault_of(flight, flight->customer_address, flight->channel);
}

const char *
flight_own_fault(const Flight *flight)
{
	return fault_of(flight, flight->nudge.address, own_channel(flight));
}

const char *
flight_address_to_send(const Flight *flight, const Recipient *recipient)
{
	const char *address = recipient->to_address;
	char	   *form = MemoryContextAlloc(flight->memory, strlen(address) + ADDRESS_FORM_ROOM);

	/* what has no form was refused */
	(void) address_to_send(form, address, recipient->channel, country_code(flight),
						   address == flight->customer_address);
	return form;
}

/*
 * Neither conversation tells of a customer: whose the one that was found is,
 * another nudge may have claimed.  Of a session of ours it is the address that
 * it was made for.
 */
static bool
is_only_claimed(const Flight *flight, const ReplyMessage *reply)
{
	return reply->customer_address == NULL && flight->customer_address == NULL &&
		flight->post.recipient.to_address != NULL && flight->other_made_at == 0;
}

bool
flight_is_with_others(const Flight *flight, const ReplyMessage *reply)
{
	const Recipient *recipient = &flight->post.recipient;
	const char *channel = recipient->channel ? recipient->channel : "";
	/* an integration is not what a conversation calls its business side */
	bool		by_number = !flight->server->options.notify_is_addressed || strcmp(channel, "sms") == 0;
	Parties		found = {reply->channel, reply->customer_address, reply->business_address};
	Parties		dead = {flight->channel, flight->customer_address, flight->business_address};
	Parties		planned = {channel, recipient->to_address, by_number ? recipient->from_address : NULL};

	return is_only_claimed(flight, reply) ||
		!parties_are_same(&found, &dead, &planned, country_code(flight));
}
