/*
 * telephone.c: from the spelling of a telephone number to its digits.
 *
 * Everything is accepted that people, address books and spreadsheets put
 * around the digits, as long as it changes no digit.
 */
#include "telephone.h"

#include <string.h>

#include "number_plan.h"

/* 13175550142.0: what becomes of a column of numbers with holes in it. */
static bool
is_decimal(Span span)
{
	size_t		at = span.length > 0 && span.start[0] == '+' ? 1 : 0;
	size_t		whole = digits_at(span, at);
	size_t		rest;

	at += whole;
	if (whole < NUMBER_DIGITS_MIN || at >= span.length || strchr(".,", span.start[at]) == NULL)
		return false;
	rest = digits_at(span, at + 1);
	return rest <= 2 && at + 1 + rest == span.length;
}

static const char *const schemes[] = {"tel:", "sms:", "smsto:", "callto:", "whatsapp:"};

/* What stands behind the number in an id of WhatsApp's own network. */
static const char *const hosts[] = {"@s.whatsapp.net", "@c.us"};

/* The rest behind "tel:" and the like, or before a host of WhatsApp. */
static Span
without_scheme(Span span, bool *is_whatsapp)
{
	*is_whatsapp = false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_begins_with(span, schemes[i]))
		{
			size_t		length = strlen(schemes[i]);

			*is_whatsapp = strcmp(schemes[i], "whatsapp:") == 0;
			return (Span) {span.start + length, span.length - length};
		}
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (span_ends_with(span, hosts[i]))
		{
			*is_whatsapp = true;
			return (Span) {span.start, span.length - strlen(hosts[i])};
		}
	return span;
}

/* False: something in it belongs to no number. */
static bool
read_digits(Span span, Telephone *number)
{
	const char *at = span.start;
	bool		at_start = true;

	number->international = false;
	number->length = 0;
	while (at < span.start + span.length)
	{
		uint32_t	character = next_character(&at);
		int			digit = digit_of(character);

		if (digit >= 0)
		{
			if (number->length + 1 >= sizeof(number->digits))
				return false;
			number->digits[number->length++] = (char) ('0' + digit);
		}
		else if (is_plus(character) && number->length == 0 && !number->international)
			number->international = true;
		else if (at_start && is_apostrophe(character))
			continue;
		else if (is_blank(character))
			continue;
		else if (!is_punctuation(character) || (at_start && !is_opening(character) && character != '/'))
			return false;
		at_start = false;
	}
	number->digits[number->length] = '\0';
	return number->length > 0;
}

static void
insert_at(Telephone *number, size_t place, const char *digits)
{
	size_t		count = strlen(digits);

	memmove(number->digits + place + count, number->digits + place, number->length - place + 1);
	memcpy(number->digits + place, digits, count);
	number->length += count;
}

static bool
begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool
fits_plan(const NumberPlan *plan, size_t length)
{
	return length >= plan->shortest && length <= plan->longest;
}

static void
drop_after(Telephone *number, size_t place, size_t count)
{
	number->length -= count;
	memmove(number->digits + place, number->digits + place + count, number->length - place + 1);
}

/*
 * The trunk prefix is not dialled after a country code, but written: +44 (0)20,
 * +49 0171, +36 (06) 30.  Where national numbers keep a zero, it is no prefix;
 * other digits are one only where the number is too long with it.
 */
static void
drop_trunk(Telephone *number, const NumberPlan *plan)
{
	size_t		code = strlen(plan->country_code);
	size_t		trunk = strlen(plan->trunk);
	const char *national = number->digits + code;

	if (national[0] == '0' && !plan->keeps_zero)
		drop_after(number, code, trunk > 0 && begins_with(national, plan->trunk) ? trunk : 1);
	if (trunk > 0 && plan->trunk[0] != '0' && begins_with(national, plan->trunk) &&
		number->length - code > plan->longest && fits_plan(plan, number->length - code - trunk))
		drop_after(number, code, trunk);
}

/* Digits that begin with a country code. */
static AddressFault
judge_international(Telephone *number, bool is_marked)
{
	const NumberPlan *plan = number_plan_of(number->digits);
	size_t		code;

	if (plan == NULL)
		return ADDRESS_NO_NUMBER;
	drop_trunk(number, plan);
	code = strlen(plan->country_code);
	if (number->length < NUMBER_DIGITS_MIN || number->length > NUMBER_DIGITS_MAX ||
		(number->digits[code] == '0' && !plan->keeps_zero))
		return ADDRESS_NO_NUMBER;
	/* seven digits are all that some islands need */
	if (number->length == NUMBER_DIGITS_MIN && number->length - code < plan->shortest)
		return ADDRESS_NO_NUMBER;
	/* without a mark it may as well be the national number of another country */
	if (!is_marked && number->length - code < plan->shortest)
		return ADDRESS_NATIONAL;
	return ADDRESS_FAULTLESS;
}

/*
 * Whether digits that may be a national number may have their country code as
 * well.  Where national numbers keep a zero, all but mobile ones begin with it.
 */
static bool
may_have_country_code(const Telephone *number, const NumberPlan *plan)
{
	size_t		code = strlen(plan->country_code);

	return begins_with(number->digits, plan->country_code) && fits_plan(plan, number->length - code) &&
		(!plan->keeps_zero || number->digits[code] == '0');
}

/*
 * Digits without any mark, in a country: a national number, or one with its
 * country code that is too long to be national.  Whatever can be both is neither.
 */
static AddressFault
judge_national(Telephone *number, const NumberPlan *plan)
{
	size_t		trunk = strlen(plan->trunk);
	size_t		code = strlen(plan->country_code);
	bool		has_trunk = trunk > 0 && begins_with(number->digits, plan->trunk) &&
		fits_plan(plan, number->length - trunk);

	if (has_trunk && (plan->trunk[0] == '0' || number->length > plan->longest))
		drop_after(number, 0, trunk);
	else if (number->length > plan->longest && begins_with(number->digits, plan->country_code))
		return judge_international(number, true);
	else if (plan->needs_trunk || !fits_plan(plan, number->length) || may_have_country_code(number, plan) ||
			 (number->digits[0] == '0' && !plan->keeps_zero))
		return ADDRESS_NATIONAL;
	if (number->length + code > NUMBER_DIGITS_MAX)
		return ADDRESS_NO_NUMBER;
	insert_at(number, 0, plan->country_code);
	return judge_international(number, true);
}

/*
 * Where calls abroad begin with more than 00: what follows may belong to the
 * prefix.  In Hong Kong 001 65... is a number of Singapore, and not one of
 * North America.
 */
static size_t
prefix_abroad(const NumberPlan *home, const char *digits)
{
	/* the digits that may follow 00 in it, and how long it is */
	static const struct
	{
		const char *country_code;
		const char *third;
		size_t		length;
	}			prefixes[] = {
		{"234", "9", 3}, {"55", "123456789", 4}, {"61", "1", 4}, {"62", "1789", 3}, {"65", "128", 3},
		{"66", "13456789", 3}, {"82", "12345678", 3}, {"852", "1", 3}, {"855", "17", 3}, {"886", "25679", 3},
	};

	for (size_t i = 0; home != NULL && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strcmp(home->country_code, prefixes[i].country_code) == 0 &&
			digits[2] != '\0' && strchr(prefixes[i].third, digits[2]) != NULL)
			return prefixes[i].length;
	return 0;
}

/* As "00" does not say for sure that a country code follows, only a number of such a length is one. */
static bool
is_whole(const char *digits)
{
	const NumberPlan *plan = number_plan_of(digits);

	return plan != NULL && fits_plan(plan, strlen(digits) - strlen(plan->country_code));
}

/* Behind 00; "home" may be NULL. */
static AddressFault
judge_abroad(Telephone *number, const NumberPlan *home)
{
	size_t		own = prefix_abroad(home, number->digits);
	bool		is_other = own > 0 && number->length > own && is_whole(number->digits + own);
	AddressFault fault;

	drop_after(number, 0, 2);
	fault = judge_international(number, true);
	if (fault != ADDRESS_FAULTLESS)
		return fault;
	if (is_other)
		return ADDRESS_NATIONAL;
	return number->length - strlen(number_plan_of(number->digits)->country_code) > number_plan_of(number->digits)->longest ?
		ADDRESS_NO_NUMBER : ADDRESS_FAULTLESS;
}

AddressFault
telephone_read(Telephone *number, Span span, bool has_country_code, const char *country_code)
{
	const NumberPlan *plan = country_code != NULL ? number_plan_find(country_code) : NULL;
	bool		is_whatsapp;

	span = without_scheme(span, &is_whatsapp);
	if (is_decimal(span))
		return ADDRESS_DAMAGED;
	if (!read_digits(span, number))
		return ADDRESS_NO_NUMBER;
	if (!number->international && begins_with(number->digits, "00"))
		return judge_abroad(number, plan);
	if (number->international)
		return judge_international(number, true);
	if ((has_country_code || is_whatsapp) && number->digits[0] != '0')
		return judge_international(number, false);
	if (plan != NULL)
		return judge_national(number, plan);
	return number->length < NUMBER_DIGITS_MIN || number->length > NUMBER_DIGITS_MAX ?
		ADDRESS_NO_NUMBER : ADDRESS_NATIONAL;
}

void
telephone_unify(Telephone *number)
{
	char	   *national = number->digits + 2;

	if (begins_with(number->digits, "55") && number->length == 12 &&
		national[0] != '0' && national[1] != '0' && national[2] >= '6')
		insert_at(number, 4, "9");
	else if (begins_with(number->digits, "521") && number->length == 13 && national[1] != '0')
		drop_after(number, 2, 1);
}

bool
telephone_has_scheme(Span span)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_begins_with(span, schemes[i]))
			return true;
	return false;
}

bool
telephone_resembles(Span span)
{
	Telephone	number;
	bool		is_whatsapp;

	span = without_scheme(span, &is_whatsapp);
	return !is_decimal(span) && read_digits(span, &number) && number.length >= NUMBER_DIGITS_MIN;
}
