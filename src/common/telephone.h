/*
 * telephone.h: telephone numbers, as E.164 has them.
 */
#ifndef REENGAGE_TELEPHONE_H
#define REENGAGE_TELEPHONE_H

#include "address_fault.h"
#include "spelling.h"

/* E.164; seven digits are all that some islands need. */
#define NUMBER_DIGITS_MAX 15
#define NUMBER_DIGITS_MIN 7

typedef struct Telephone
{
	bool		international;	/* its spelling says so */
	size_t		length;
	char		digits[NUMBER_DIGITS_MAX + 8];	/* while it is read: with 00 or a trunk prefix */
} Telephone;

/*
 * Reads a number without blanks around it.  "has_country_code": it has one even
 * where no plus says so.  "country_code" is that of other numbers; NULL: not known.
 */
extern AddressFault telephone_read(Telephone *number, Span span, bool has_country_code,
								   const char *country_code);

/*
 * Brazil's mobile numbers have nine digits since 2016, and Mexico's no 1 after
 * the country code since 2019; ids and address books still have the old ones.
 */
extern void telephone_unify(Telephone *number);

/* "tel:" or the like before it, whatever follows. */
extern bool telephone_has_scheme(Span span);

/* Digits enough for a number, and nothing that does not belong into one. */
extern bool telephone_resembles(Span span);

#endif
