/*
 * address_form.h: the one form of an address in which it is compared.
 *
 * A person has many spellings on a telephone channel and one on others, where
 * an id is whatever an integrator made of it.  All text is UTF-8.
 */
#ifndef REENGAGE_ADDRESS_FORM_H
#define REENGAGE_ADDRESS_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "address_fault.h"

typedef enum AddressKind
{
	ADDRESS_OPAQUE,				/* an id, compared byte for byte */
	ADDRESS_NUMBER,				/* a telephone number */
	ADDRESS_EMAIL
} AddressKind;

/* A form is no longer than the address and this, its end included. */
#define ADDRESS_FORM_ROOM 20

/* Of a channel's addresses, whatever its case and the blanks around it; NULL: not known. */
extern AddressKind address_kind(const char *channel);

/*
 * The form in which an address is compared: a telephone number in E.164 with
 * its plus, mobile prefixes of which operators know two ways in one of them; an
 * e-mail address in lower case (ASCII), without blanks around it; any other as it is.
 *
 * A number without plus or 00 is one of "country_code" (digits; NULL: not
 * known), on WhatsApp it has its country code.  Without a channel (NULL) the
 * address is what it looks like.
 *
 * "form" has room for the address and ADDRESS_FORM_ROOM; it is empty after a fault.
 */
extern AddressFault address_form(char *form, const char *address, const char *channel,
								 const char *country_code);

/* The same, but a telephone number keeps the mobile prefix that it was written with. */
extern AddressFault address_spelling(char *form, const char *address, const char *channel,
									 const char *country_code);

/*
 * What is sent to an API: on channels of text messages the form above, on others
 * what the API itself named, else the spelling.  An id stays as it is.
 */
extern AddressFault address_to_send(char *form, const char *address, const char *channel,
									const char *country_code, bool named_by_api);

/* What an address without a channel looks like. */
extern AddressKind address_apparent_kind(const char *address, const char *country_code);

/*
 * Of an address without a channel that is read as an id: why it seems to be
 * meant for a person's telephone or e-mail; faultless: it does not.
 */
extern AddressFault address_clumsy(const char *address);

/* The word for a fault, as a reason; and what it means and how it is mended. */
extern const char *address_fault_name(AddressFault fault);
extern const char *address_fault_text(AddressFault fault);

/* Whether this is the code of a country: digits only. */
extern bool address_country_exists(const char *country_code);

/* As it may be shown: "+1317...42"; "size" is that of "masked". */
extern void address_mask(char *masked, size_t size, const char *form);

#endif
