/*
 * address_form.c: from a spelling of an address to the form that is compared.
 */
#include "address_form.h"

#include <ctype.h>
#include <string.h>

#include "number_plan.h"
#include "spelling.h"
#include "telephone.h"

/* --- what is no address on any channel ---------------------------------------- */

/* A letter, a digit or a symbol of any script; but not only marks of ASCII. */
static bool
has_substance(Span span)
{
	const char *at = span.start;

	while (at < span.start + span.length)
	{
		uint32_t	character = next_character(&at);

		if (character < 0x80 ? isalnum((int) character) : !is_blank(character) && !is_punctuation(character))
			return true;
	}
	return false;
}

static bool
is_nothing(Span span)
{
	static const char *const words[] = {
		"null", "(null)", "<null>", "none", "nan", "nat", "nil", "undefined", "n/a", "#n/a",
		"0", "\\N",
	};

	if (!has_substance(span))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(span, words[i]))
			return true;
	return false;
}

/*
 * 1.31756E+10, as spreadsheets and floating point columns write it: with the
 * exponent's sign and two digits, which an id would hardly have.
 */
static bool
is_scientific(Span span)
{
	size_t		at = span.length > 0 && strchr("+-", span.start[0]) != NULL ? 1 : 0;
	size_t		whole = digits_at(span, at);

	at += whole;
	if (whole > 0 && at < span.length && strchr(".,", span.start[at]) != NULL)
		at += 1 + digits_at(span, at + 1);
	return whole > 0 && at + 3 < span.length && small_letter(span.start[at]) == 'e' &&
		strchr("+-", span.start[at + 1]) != NULL && digits_at(span, at + 2) >= 2 &&
		at + 2 + digits_at(span, at + 2) == span.length;
}

/* --- e-mail ------------------------------------------------------------------------ */

/* As far as a spelling shows it: dots between labels of letters, digits and hyphens, of any script. */
static bool
is_domain(const char *text)
{
	bool		in_label = false;

	for (; *text != '\0'; text++)
	{
		bool		belongs = (*text & 0x80) != 0 || isalnum((unsigned char) *text) || *text == '-' || *text == '_';

		if (!belongs && (*text != '.' || !in_label))
			return false;
		in_label = belongs;
	}
	return in_label;
}

static AddressFault
write_email(char *form, Span span)
{
	static const char scheme[] = "mailto:";
	const char *at;
	char	   *end = form;
	const char *sign;

	if (span_begins_with(span, scheme))
		span = (Span) {span.start + strlen(scheme), span.length - strlen(scheme)};
	at = span.start;
	while (at < span.start + span.length)
	{
		const char *start = at;
		uint32_t	character = next_character(&at);

		/* what nobody sees is no part of it, wherever it stands */
		if (is_unseen(character))
			continue;
		if (is_blank(character))
			return ADDRESS_NO_EMAIL;
		while (start < at)
			*end++ = small_letter(*start++);
	}
	/* the root of all domains may stand behind one */
	if (end > form && end[-1] == '.')
		end--;
	*end = '\0';
	sign = strchr(form, '@');
	if (sign == NULL || sign == form || !is_domain(sign + 1) || strpbrk(form, "<>,;:\"") != NULL)
		return ADDRESS_NO_EMAIL;
	return ADDRESS_FAULTLESS;
}

/* --- channels ------------------------------------------------------------------------- */

static bool
is_one_of(Span span, const char *const *words)
{
	for (; *words != NULL; words++)
		if (span_is(span, *words))
			return true;
	return false;
}

AddressKind
address_kind(const char *channel)
{
	static const char *const numbers[] = {
		"sms", "mms", "rcs", "whatsapp", "voice", "call", "callback", "phone", "telephone", "tel", "mobile", "fax", NULL
	};
	static const char *const emails[] = {"email", "e-mail", "mail", NULL};

	if (channel == NULL)
		return ADDRESS_OPAQUE;
	if (is_one_of(trimmed(channel), numbers))
		return ADDRESS_NUMBER;
	return is_one_of(trimmed(channel), emails) ? ADDRESS_EMAIL : ADDRESS_OPAQUE;
}

static bool
looks_like_email(Span span)
{
	const char *sign = memchr(span.start, '@', span.length);

	return sign != NULL && sign > span.start && sign + 1 < span.start + span.length &&
		memchr(span.start, ' ', span.length) == NULL;
}

AddressKind
address_apparent_kind(const char *address, const char *country_code)
{
	Span		span = trimmed(address);
	Telephone	number;

	if (telephone_read(&number, span, false, country_code) == ADDRESS_FAULTLESS || telephone_resembles(span))
		return ADDRESS_NUMBER;
	return looks_like_email(span) ? ADDRESS_EMAIL : ADDRESS_OPAQUE;
}

/*
 * More than an id would have of what belongs to a telephone number or an e-mail
 * address, although it is read as neither: an extension, a remark, two at once.
 */
AddressFault
address_clumsy(const char *address)
{
	Span		span = trimmed(address);
	const char *at = span.start;
	size_t		digits = 0;
	bool		has_plus = false;
	bool		has_blank = false;
	bool		has_letter = false;

	while (at < span.start + span.length)
	{
		uint32_t	character = next_character(&at);

		if (digit_of(character) >= 0)
			digits++;
		has_plus = has_plus || is_plus(character);
		has_blank = has_blank || is_blank(character);
		has_letter = has_letter || (character < 0x80 ? isalpha((int) character) != 0 :
									!is_punctuation(character) && digit_of(character) < 0);
		if (character == '@' && at > span.start + 1)
			return ADDRESS_NO_EMAIL;
	}
	if (telephone_has_scheme(span))
		return ADDRESS_NO_NUMBER;
	return digits >= NUMBER_DIGITS_MIN && (has_plus || has_blank || !has_letter) ? ADDRESS_NO_NUMBER : ADDRESS_FAULTLESS;
}

static AddressFault
write_number(char *form, Span span, const char *channel, const char *country_code, bool unifies)
{
	Telephone	number;
	bool		has_country_code = channel != NULL && span_is(trimmed(channel), "whatsapp");
	AddressFault fault = telephone_read(&number, span, has_country_code, country_code);

	if (fault != ADDRESS_FAULTLESS)
		return fault;
	if (unifies)
		telephone_unify(&number);
	form[0] = '+';
	strcpy(form + 1, number.digits);
	return ADDRESS_FAULTLESS;
}

static AddressFault
write_kind(char *form, const char *address, const char *channel, const char *country_code, bool unifies)
{
	AddressKind kind = channel != NULL ? address_kind(channel) : address_apparent_kind(address, country_code);
	Span		span = trimmed(address);

	if (is_nothing(span))
		return ADDRESS_NOTHING;
	if (is_scientific(span))
		return ADDRESS_DAMAGED;
	switch (kind)
	{
		case ADDRESS_NUMBER:
			return write_number(form, span, channel, country_code, unifies);
		case ADDRESS_EMAIL:
			return write_email(form, span);
		case ADDRESS_OPAQUE:
			strcpy(form, address);
			break;
	}
	return ADDRESS_FAULTLESS;
}

static AddressFault
write_form(char *form, const char *address, const char *channel, const char *country_code, bool unifies)
{
	AddressFault fault = write_kind(form, address, channel, country_code, unifies);

	if (fault != ADDRESS_FAULTLESS)
		form[0] = '\0';
	return fault;
}

AddressFault
address_form(char *form, const char *address, const char *channel, const char *country_code)
{
	return write_form(form, address, channel, country_code, true);
}

AddressFault
address_spelling(char *form, const char *address, const char *channel, const char *country_code)
{
	return write_form(form, address, channel, country_code, false);
}

AddressFault
address_to_send(char *form, const char *address, const char *channel,
				const char *country_code, bool named_by_api)
{
	static const char *const texts[] = {"sms", "mms", "rcs", NULL};
	bool		is_text = channel != NULL && is_one_of(trimmed(channel), texts);
	AddressFault fault = is_text ? address_form(form, address, channel, country_code) :
		address_spelling(form, address, channel, country_code);

	if (fault == ADDRESS_FAULTLESS && (address_kind(channel) != ADDRESS_NUMBER || (named_by_api && !is_text)))
		strcpy(form, address);
	return fault;
}

const char *
address_fault_name(AddressFault fault)
{
	switch (fault)
	{
		case ADDRESS_FAULTLESS:
			break;
		case ADDRESS_NOTHING:
			return "no_address";
		case ADDRESS_DAMAGED:
		case ADDRESS_NO_NUMBER:
		case ADDRESS_NATIONAL:
			return "address_is_no_number";
		case ADDRESS_NO_EMAIL:
			return "address_is_no_email";
	}
	return NULL;
}

const char *
address_fault_text(AddressFault fault)
{
	switch (fault)
	{
		case ADDRESS_FAULTLESS:
			break;
		case ADDRESS_NOTHING:
			return "It is empty, or a program's word for nothing.";
		case ADDRESS_DAMAGED:
			return "A program took it for a quantity: export the column as text.";
		case ADDRESS_NO_NUMBER:
			return "It is no telephone number: write + and the country code before it, 8 to 15 digits in all.";
		case ADDRESS_NATIONAL:
			return "It may be a number of any country: write + and the country code before it. A national number, with its trunk prefix, counts where the server has default_country_code.";
		case ADDRESS_NO_EMAIL:
			return "It is no e-mail address, like name@example.com.";
	}
	return NULL;
}

bool
address_country_exists(const char *country_code)
{
	return number_plan_find(country_code) != NULL;
}

/* --- what may be shown ------------------------------------------------------------------ */

/* Bytes of so many characters at the start. */
static size_t
bytes_of(const char *text, size_t characters)
{
	const char *at = text;

	for (size_t i = 0; i < characters && *at != '\0'; i++)
		(void) next_character(&at);
	return (size_t) (at - text);
}

static size_t
count_characters(const char *text)
{
	size_t		count = 0;

	while (*text != '\0')
	{
		(void) next_character(&text);
		count++;
	}
	return count;
}

void
address_mask(char *masked, size_t size, const char *form)
{
	size_t		characters = count_characters(form);
	/* five at least are hidden */
	size_t		head = characters < 9 ? 0 : bytes_of(form, characters < 12 ? characters - 7 : 5);
	const char *tail = characters < 5 ? "" : form + bytes_of(form, characters - 2);

	masked[0] = '\0';
	if (head + strlen("...") + strlen(tail) >= size)
		return;
	memcpy(masked, form, head);
	strcpy(masked + head, "...");
	strcat(masked, tail);
}
