/*
 * contact.c: what in a text may be a customer's address.
 */
#include "contact.h"

#include <string.h>

#include "unescape.h"

static unsigned char
letter_at(const Unescaped *reading, size_t at)
{
	return at < reading->count ? reading->letters[at].c : ' ';
}

static size_t
skip_digits(const Unescaped *reading, size_t at)
{
	while (is_digit(letter_at(reading, at)))
		at++;
	return at;
}

/* "2026-11-27" has eight digits, and is no number that anybody calls. */
static bool
is_date(const Unescaped *reading, size_t at)
{
	return skip_digits(reading, at) == at + 4 && letter_at(reading, at + 4) == '-' &&
		skip_digits(reading, at + 5) == at + 7 && letter_at(reading, at + 7) == '-' &&
		skip_digits(reading, at + 8) == at + 10;
}

/* Behind "192.168.100.200"; else where it began. */
static size_t
skip_ipv4(const Unescaped *reading, size_t start)
{
	size_t		at = start;

	for (int octet = 0; octet < 4; octet++)
	{
		size_t		end = skip_digits(reading, at);

		if (end == at || end > at + 3 || (octet < 3 && letter_at(reading, end) != '.'))
			return start;
		at = octet < 3 ? end + 1 : end;
	}
	return letter_at(reading, at) == '.' && is_digit(letter_at(reading, at + 1)) ? start : at;
}

/* Where digits go on behind punctuation that numbers have; 0: they do not. */
static size_t
next_digits(const Unescaped *reading, size_t at, bool international)
{
	size_t		end = at;

	while (end < at + 3 && strchr(international ? " -./()" : " -./)", letter_at(reading, end)) != NULL &&
		   letter_at(reading, end) != '\0')
		end++;
	return end > at && is_digit(letter_at(reading, end)) && !is_date(reading, end) ? end : 0;
}

/* Goes behind a number, and hides it if somebody could be called by it. */
static size_t
pass_number(const Unescaped *reading, size_t start, bool *marks)
{
	/* national numbers have 7 digits or more; years, codes and ports have less */
	const int	shortest = 7;
	bool		international = start > 0 && strchr("+(", letter_at(reading, start - 1)) != NULL;
	size_t		digits = 0;
	size_t		at = start;
	size_t		end = start;

	while (at > 0 || end == start)
	{
		end = skip_digits(reading, at);
		digits += end - at;
		at = next_digits(reading, end, international);
		if (at == 0)
			break;
	}
	if (digits >= (size_t) shortest)
		mark_letters(reading, start - international, end - 1, marks);
	return end;
}

static void
hide_numbers(const Unescaped *reading, bool *marks)
{
	size_t		at = 0;

	while (at < reading->count)
	{
		if (!is_digit(reading->letters[at].c))
			at++;
		else if (is_date(reading, at))
			at += strlen("2026-11-27");
		else if (skip_ipv4(reading, at) > at)
			at = skip_ipv4(reading, at);
		else
			at = pass_number(reading, at, marks);
	}
}

static bool
is_of_mail(unsigned char c)
{
	return is_in_word(c) || (c != '\0' && strchr("._%+-", c) != NULL);
}

static void
hide_mail_addresses(const Unescaped *reading, bool *marks)
{
	for (size_t at = 0; at < reading->count; at++)
	{
		size_t		first = at;
		size_t		last = at;

		if (reading->letters[at].c != '@')
			continue;
		while (first > 0 && is_of_mail(reading->letters[first - 1].c))
			first--;
		while (last + 1 < reading->count && is_of_mail(reading->letters[last + 1].c))
			last++;
		mark_letters(reading, first, last, marks);
	}
}

static void
hide_contacts(const Unescaped *reading, void *argument)
{
	hide_numbers(reading, argument);
	hide_mail_addresses(reading, argument);
}

void
contact_mark(const char *said, size_t length, bool *marks)
{
	read_each_way(said, length, hide_contacts, marks);
}
