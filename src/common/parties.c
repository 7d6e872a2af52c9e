/*
 * parties.c: whether two conversations are with the same people.
 */
#include "parties.h"

#include <string.h>
#include <strings.h>

#include "address_form.h"

/* Addresses are cut at 256 characters; a longer one is like no other. */
#define FORM_SIZE 2048

static bool
is_same_address(const char *one, const char *other, const char *channel, const char *country_code)
{
	char		one_form[FORM_SIZE];
	char		other_form[FORM_SIZE];

	if (strcmp(one, other) == 0)
		return true;
	if (strlen(one) + ADDRESS_FORM_ROOM > FORM_SIZE || strlen(other) + ADDRESS_FORM_ROOM > FORM_SIZE)
		return false;
	return address_form(one_form, one, channel, country_code) == ADDRESS_FAULTLESS &&
		address_form(other_form, other, channel, country_code) == ADDRESS_FAULTLESS &&
		strcmp(one_form, other_form) == 0;
}

bool
parties_are_same(const Parties *found, const Parties *dead, const Parties *planned,
				 const char *country_code)
{
	const char *channel = planned->channel;
	/* a business side is one on its own channel */
	const char *told = dead->channel == NULL || strcasecmp(dead->channel, channel) == 0 ? dead->business : NULL;
	bool		is_planned;

	if (found->channel != NULL && strcasecmp(found->channel, channel) != 0)
		return false;
	if (found->customer == NULL || planned->customer == NULL ? dead->customer != NULL :
		!is_same_address(found->customer, planned->customer, channel, country_code))
		return false;
	if (found->business == NULL)
		return told == NULL;
	is_planned = planned->business != NULL && is_same_address(found->business, planned->business, channel, country_code);
	if (told == NULL)
		return planned->business == NULL || is_planned;
	return is_planned || is_same_address(found->business, told, channel, country_code);
}
