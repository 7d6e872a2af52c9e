/*
 * address_form_test.c: spellings of one address, and what is none.
 */
#include "address_form.h"

#include <string.h>

#include "tap.h"

static const struct
{
	const char *name;
	const char *address;
	const char *channel;
	const char *country_code;
	const char *form;			/* NULL: none */
}			forms[] = {
	{"E.164", "+442079460018", "sms", NULL, "+442079460018"},
	{"00", "00442079460018", "sms", NULL, "+442079460018"},
	{"tel:", "tel:+44-20-7946-0018", "sms", NULL, "+442079460018"},
	{"a scheme in capitals", "TEL:+442079460018", "voice", NULL, "+442079460018"},
	{"sms:", "sms:+442079460018", "sms", NULL, "+442079460018"},
	{"whatsapp: in mixed case", "WhatsApp:+442079460018", "whatsapp", NULL, "+442079460018"},
	{"whatsapp: without a plus", "whatsapp:442079460018", "sms", NULL, "+442079460018"},
	{"a URL", "tel://+442079460018", "sms", NULL, "+442079460018"},
	{"a channel in capitals, with blanks", "+442079460018", " SMS ", NULL, "+442079460018"},
	{"(0)", "+44 (0)20 7946 0018", "sms", NULL, "+442079460018"},
	{"(0) where nobody dials it", "+34 (0) 912 345 678", "sms", NULL, "+34912345678"},
	{"00 and (0)", "0049 (0) 30 901820", "sms", NULL, "+4930901820"},
	{"a trunk prefix without brackets", "+49 030 901820", "sms", NULL, "+4930901820"},
	{"(0) is a digit in Italy", "+39 (0)6 1234567", "sms", NULL, "+39061234567"},
	{"(06) in Hungary", "+36 (06) 30 123 4567", "sms", NULL, "+36301234567"},
	{"(8) in Russia", "+7 (8) 916 123-45-67", "sms", NULL, "+79161234567"},
	{"punctuation", "+44.20/7946-0018", "sms", NULL, "+442079460018"},
	{"brackets first", "(+44) 20 7946 0018", "sms", NULL, "+442079460018"},
	{"square brackets", "[+44] 20 7946 0018", "sms", NULL, "+442079460018"},
	{"an en dash, a hyphen, a minus", "+44\xE2\x80\x93" "20\xE2\x80\x90" "7946\xE2\x88\x92" "0018", "sms", NULL, "+442079460018"},
	{"blanks around it", "  +442079460018\t", "sms", NULL, "+442079460018"},
	{"no-break blanks", "+44\xC2\xA0" "20\xE2\x80\xAF" "7946\xC2\xA0" "0018", "sms", NULL, "+442079460018"},
	{"thin, ideographic and zero-width blanks", "+44\xE2\x80\x89" "20\xE3\x80\x80" "7946\xE2\x80\x8B" "0018", "sms", NULL, "+442079460018"},
	{"a byte order mark", "\xEF\xBB\xBF+442079460018", "sms", NULL, "+442079460018"},
	{"marks of direction", "\xE2\x80\x8E+442079460018\xE2\x80\x8F", "sms", NULL, "+442079460018"},
	{"an isolate", "\xE2\x81\xA6+442079460018\xE2\x81\xA9", "sms", NULL, "+442079460018"},
	{"a soft hyphen", "+4420\xC2\xAD" "79460018", "sms", NULL, "+442079460018"},
	{"an apostrophe", "'+442079460018", "sms", NULL, "+442079460018"},
	{"a typographic apostrophe", "\xE2\x80\x99+442079460018", "sms", NULL, "+442079460018"},
	{"full width", "\xEF\xBC\x8B\xEF\xBC\x94\xEF\xBC\x94\xEF\xBC\x92\xEF\xBC\x90\xEF\xBC\x8D" "79460018", "sms", NULL, "+442079460018"},
	{"Arabic digits", "+\xD9\xA9\xD9\xA6\xD9\xA6 50 123 4567", "sms", NULL, "+966501234567"},
	{"Persian digits", "+\xDB\xB9\xDB\xB8 912 345 6789", "sms", NULL, "+989123456789"},
	{"15 digits", "+131755501420000", "sms", NULL, "+131755501420000"},
	{"an id of WhatsApp's network", "442079460018@s.whatsapp.net", "whatsapp", NULL, "+442079460018"},
	{"another one, without a channel", "442079460018@C.us", NULL, NULL, "+442079460018"},
	{"00 before too many digits is another prefix", "0011 44 20 7946 0018", "sms", NULL, NULL},
	{"Brazil: 00, a carrier, a country", "0021 44 20 7946 0018", "sms", "55", NULL},
	{"Nigeria dials 009", "009 44 20 7946 0018", "sms", "234", NULL},
	{"Hong Kong: 001 or 00 1", "001 65 6123 4567", "sms", "852", NULL},
	{"Hong Kong: 00 is plain", "0044 20 7946 0018", "sms", "852", "+442079460018"},
	{"Australia: 00 is plain", "0049 171 1234567", "sms", "61", "+491711234567"},
	{"00 1 in Europe", "001 317 555 0142", "sms", "49", "+13175550142"},
	{"7 digits, where that is a number", "+6834001", "sms", NULL, "+6834001"},

	{"16 digits", "+1317555014200000", "sms", NULL, NULL},
	{"7 digits elsewhere", "+1317555", "sms", NULL, NULL},
	{"no such country", "+999123456789", "sms", NULL, NULL},
	{"a country code of 0", "+0442079460018", "sms", NULL, NULL},
	{"two zeros after the country code", "+44 00 20 7946 0018", "sms", NULL, NULL},
	{"two pluses", "++442079460018", "sms", NULL, NULL},
	{"a plus in the middle", "44+2079460018", "sms", NULL, NULL},
	{"an extension", "+442079460018;ext=12", "sms", NULL, NULL},
	{"letters", "+1-800-FLOWERS", "sms", NULL, NULL},
	{"a minus before it", "-442079460018", "sms", NULL, NULL},
	{"a thousands separator", "442,079,460,018", "whatsapp", NULL, NULL},
	{"no digits", "+ ()", "sms", NULL, NULL},
	{"bytes that are no UTF-8", "+4420\xFF" "79460018", "sms", NULL, NULL},
	{"an apostrophe in the middle", "+4420'79460018", "sms", NULL, NULL},
	{"a quantity", "442079460018.0", "sms", "44", NULL},
	{"a quantity with two decimals", "+442079460018.00", "whatsapp", NULL, NULL},
	{"a quantity that ends with its point", "442079460018.", "whatsapp", NULL, NULL},
	{"a floating point number", "4.42079e+11", "sms", "44", NULL},
	{"a spreadsheet's number", "4,42079E+11", "whatsapp", NULL, NULL},

	{"bare digits", "442079460018", "sms", NULL, NULL},
	{"a national number", "020 7946 0018", "sms", NULL, NULL},
	{"a national number, at home", "020 7946 0018", "sms", "44", "+442079460018"},
	{"an unmarked international number, at home", "442079460018", "sms", "44", "+442079460018"},
	{"one of another country", "491711234567", "sms", "44", NULL},
	{"without the trunk prefix that a spreadsheet took", "7911123456", "sms", "44", NULL},
	{"a plus outdoes the country", "+4930901820", "sms", "44", "+4930901820"},
	{"00 outdoes the country", "004930901820", "sms", "44", "+4930901820"},
	{"ten digits in North America", "(317) 555-0142", "sms", "1", "+13175550142"},
	{"eleven digits", "1-317-555-0142", "sms", "1", "+13175550142"},
	{"nine digits", "317555014", "sms", "1", NULL},
	{"an apostrophe before a national number", "'0171 1234567", "sms", "49", "+491711234567"},
	{"Germany, unmarked", "491711234567", "sms", "49", "+491711234567"},
	{"Germany, both ways possible", "4930123456", "sms", "49", NULL},
	{"Spain", "612 34 56 78", "sms", "34", "+34612345678"},
	{"Italy keeps its zero", "06 1234567", "sms", "39", "+39061234567"},
	{"Italy, a mobile that begins with the country code", "393 123 4567", "sms", "39", "+393931234567"},
	{"Italy, unmarked", "393331234567", "sms", "39", "+393331234567"},
	{"Italy, both ways possible", "3906123456", "sms", "39", NULL},
	{"Andorra, both ways possible", "376312345", "sms", "376", NULL},
	{"Andorra, national", "312345", "sms", "376", "+376312345"},
	{"Poland, an area code like the country code", "48 362 12 34", "sms", "48", "+48483621234"},
	{"San Marino keeps its zero", "+378 (0549) 886377", "sms", NULL, "+3780549886377"},
	{"Belarus dials 80", "8 029 491-19-11", "sms", "375", "+375294911911"},
	{"Uruguay, with and without", "2123 1234", "sms", "598", "+59821231234"},
	{"Russia dials 8", "8 (916) 123-45-67", "sms", "7", "+79161234567"},
	{"Russia, without it", "9161234567", "sms", "7", "+79161234567"},
	{"Saint Petersburg begins with 8, too", "8121234567", "sms", "7", "+78121234567"},
	{"India, with the zero", "09876543210", "sms", "91", "+919876543210"},
	{"India, without", "9876543210", "sms", "91", "+919876543210"},
	{"Hungary dials 06", "06 30 123 4567", "sms", "36", "+36301234567"},
	{"a country code that is none", "0171 1234567", "sms", "999", NULL},

	{"WhatsApp: digits", "447911123456", "whatsapp", NULL, "+447911123456"},
	{"WhatsApp: a plus", "+447911123456", "WhatsApp", NULL, "+447911123456"},
	{"WhatsApp: digits are international in any country", "447911123456", "whatsapp", "1", "+447911123456"},
	{"WhatsApp: too short for the country that it begins with", "3175550142", "whatsapp", NULL, NULL},
	{"WhatsApp: national, at home", "0171 1234567", "whatsapp", "49", "+491711234567"},
	{"WhatsApp: national, nowhere", "0171 1234567", "whatsapp", NULL, NULL},

	{"Brazil without its ninth digit", "+55 11 8765-4321", "sms", NULL, "+5511987654321"},
	{"Brazil with it", "+55 11 98765-4321", "sms", NULL, "+5511987654321"},
	{"Brazil, an id of WhatsApp", "551187654321", "whatsapp", NULL, "+5511987654321"},
	{"Brazil, national", "(11) 8765-4321", "sms", "55", "+5511987654321"},
	{"Brazil, national, with the trunk prefix", "011 98765 4321", "sms", "55", "+5511987654321"},
	{"Brazil, fixed", "+55 11 3456-7890", "sms", NULL, "+551134567890"},
	{"Mexico with 1", "+52 1 55 1234 5678", "sms", NULL, "+525512345678"},
	{"Mexico without", "+52 55 1234 5678", "sms", NULL, "+525512345678"},
	{"Mexico, an id of WhatsApp", "5215512345678", "whatsapp", NULL, "+525512345678"},
	{"Mexico, national", "55 1234 5678", "sms", "52", "+525512345678"},
	{"Mexico, a 1 before no area code", "+52 1 05 1234 5678", "sms", NULL, "+5210512345678"},
	{"a trunk prefix that leaves too much", "+1 1 1317 555 0142 9", "sms", NULL, "+11131755501429"},
	{"a trunk prefix in North America", "+1 (1) 317 555 0142", "sms", NULL, "+13175550142"},
	{"Argentina's 9 is left alone", "+54 9 11 1234 5678", "sms", NULL, "+5491112345678"},

	{"e-mail: case", "Anna.Berg@Example.COM", "email", NULL, "anna.berg@example.com"},
	{"e-mail: blanks around it", " anna@example.com\xC2\xA0", "E-Mail", NULL, "anna@example.com"},
	{"e-mail: what is not seen", "anna\xE2\x80\x8B@example.com", "email", NULL, "anna@example.com"},
	{"e-mail: mailto:", "mailto:anna@example.com", "email", NULL, "anna@example.com"},
	{"e-mail: no other case than ASCII's", "\xC3\x84rger@example.com", "email", NULL, "\xC3\x84rger@example.com"},
	{"e-mail: a plus is the person's own", "anna+shop@example.com", "email", NULL, "anna+shop@example.com"},
	{"e-mail: the root of domains", "anna@example.com.", "email", NULL, "anna@example.com"},
	{"e-mail: another script", "anna@\xD0\xBF\xD0\xBE\xD1\x87\xD1\x82\xD0\xB0.example", "email", NULL, "anna@\xD0\xBF\xD0\xBE\xD1\x87\xD1\x82\xD0\xB0.example"},
	{"e-mail: a query", "mailto:anna@example.com?subject=stop", "email", NULL, NULL},
	{"e-mail: two signs", "anna@berg@example.com", "email", NULL, NULL},
	{"e-mail: an empty label", "anna@example..com", "email", NULL, NULL},
	{"e-mail: a slash", "anna@example.com/", "email", NULL, NULL},
	{"e-mail: a name before it", "Anna <anna@example.com>", "email", NULL, NULL},
	{"e-mail: two", "anna@example.com,bert@example.com", "email", NULL, NULL},
	{"e-mail: a blank in it", "anna\xC2\xA0" "berg@example.com", "email", NULL, NULL},
	{"e-mail: no sign", "anna.example.com", "email", NULL, NULL},
	{"e-mail: no domain", "anna@", "email", NULL, NULL},

	{"opaque: punctuation", "12-3", "open", NULL, "12-3"},
	{"opaque: other punctuation", "1-23", "open", NULL, "1-23"},
	{"opaque: case", "Guest-Ab", "open", NULL, "Guest-Ab"},
	{"opaque: a decimal point", "acct.0", "open", NULL, "acct.0"},
	{"opaque: digits and a point", "13175550142.0", "open", NULL, "13175550142.0"},
	{"opaque: 1.5", "1.5", "line", NULL, "1.5"},
	{"opaque: blanks", " x ", "open", NULL, " x "},
	{"opaque: a number", "+1 (317) 555-0142", "webmessaging", "1", "+1 (317) 555-0142"},
	{"opaque: a short exponent is an id", "12e10", "open", NULL, "12e10"},
	{"opaque: no exponent without digits", "1.2E+", "open", NULL, "1.2E+"},
	{"opaque: a URN", "urn:mbid:AQ/aY+=", "apple", NULL, "urn:mbid:AQ/aY+="},
	{"opaque: a spreadsheet's number", "1.31756E+10", "open", NULL, NULL},
	{"opaque: a floating point number", "1.3175551e+10", "open", NULL, NULL},

	{"without a channel: a plus", "+44 20 7946 0018", NULL, NULL, "+442079460018"},
	{"without a channel: 00", "00442079460018", NULL, NULL, "+442079460018"},
	{"without a channel: a sign", "Anna@Example.com", NULL, NULL, "anna@example.com"},
	{"without a channel: an id", "12-3", NULL, NULL, "12-3"},
	{"without a channel: a handle", "@Handle", NULL, NULL, "@Handle"},
	{"without a channel: a national number", "020 7946 0018", NULL, "44", "+442079460018"},
	{"without a channel: one without a country", "020 7946 0018", NULL, NULL, NULL},
	{"without a channel: a quantity", "13175550142.0", NULL, NULL, "13175550142.0"},
};

static const char *const nothings[] = {
	"", " ", "\xC2\xA0", "\xE2\x80\x8B", "\t", "NULL", "null", "None", "nan", "NaN", "undefined", "n/a", "N/A",
	"0", " 0 ", "\\N", "-", "(null)", "#N/A", "--", "?", "+ ()", "\xE2\x80\x94", "''",
};

static const char *const channels[] = {"sms", "whatsapp", "voice", "email", "open", NULL};

static const char *
form_of(char *form, const char *address, const char *channel, const char *country_code)
{
	return address_form(form, address, channel, country_code) == ADDRESS_FAULTLESS ? form : NULL;
}

static void
test_nothings(void)
{
	char		form[64];

	for (size_t i = 0; i < sizeof(nothings) / sizeof(nothings[0]); i++)
	{
		bool		none = true;

		for (size_t c = 0; c < sizeof(channels) / sizeof(channels[0]); c++)
			none &= address_form(form, nothings[i], channels[c], "1") == ADDRESS_NOTHING && form[0] == '\0';
		ok(none, "\"%s\" is no address on any channel", nothings[i]);
	}
}

static void
test_spellings(void)
{
	char		form[64];

	ok(address_spelling(form, "5215512345678", "whatsapp", NULL) == ADDRESS_FAULTLESS, "an id of Mexico is read");
	is_text(form, "+5215512345678", "and is answered with its 1");
	(void) address_spelling(form, "55 11 8765 4321", "whatsapp", NULL);
	is_text(form, "+551187654321", "an id of Brazil without a digit more");
	(void) address_spelling(form, "+44 (0)20 7946 0018", "sms", NULL);
	is_text(form, "+442079460018", "all else is as it is compared");
}

static void
test_faults(void)
{
	char		form[64];

	is_text(address_fault_name(address_form(form, "abc", "sms", NULL)), "address_is_no_number", "a word is no number");
	is_text(address_fault_name(address_form(form, "0301234567", "sms", NULL)), "address_is_no_number", "a national one neither");
	ok(address_form(form, "0301234567", "sms", NULL) == ADDRESS_NATIONAL, "but for another reason");
	ok(address_form(form, "301", "sms", NULL) == ADDRESS_NO_NUMBER, "than a short one");
	is_text(address_fault_name(address_form(form, "NULL", "open", NULL)), "no_address", "nothing is no address");
	is_text(address_fault_name(address_form(form, "a", "email", NULL)), "address_is_no_email", "nor is a word one of e-mail");
	for (AddressFault fault = ADDRESS_NOTHING; fault <= ADDRESS_NO_EMAIL; fault++)
		ok(address_fault_name(fault) != NULL && address_fault_text(fault) != NULL, "fault %d has words", fault);
	ok(address_country_exists("44") && address_country_exists("1") && address_country_exists("383"), "countries");
	ok(!address_country_exists("0") && !address_country_exists("999") && !address_country_exists("4") &&
	   !address_country_exists("441") && !address_country_exists(""), "and what is none");
}

static void
test_kinds(void)
{
	ok(address_kind("sms") == ADDRESS_NUMBER && address_kind("Voice") == ADDRESS_NUMBER, "channels of numbers");
	ok(address_kind("email") == ADDRESS_EMAIL, "of e-mail");
	ok(address_kind("open") == ADDRESS_OPAQUE && address_kind("telegram") == ADDRESS_OPAQUE &&
	   address_kind(NULL) == ADDRESS_OPAQUE && address_kind("smss") == ADDRESS_OPAQUE, "and all others");
}

static void
test_clumsy(void)
{
	static const char *const meant[] = {
		"+44 20 7946 0018 x5", "tel:+442079460018;ext=5", "+442079460018 (mobile)", "Tel. +442079460018", "+442079460018;",
		"\"442079460018\"", "=\"442079460018\"", "+4420 7946 O018", "+442079460018,+442079460019", "020 7946 0018 (evenings)",
		"sms:", "Anna <anna@example.com>", "anna@example.com, bert@example.com", "anna@example.com?subject=stop",
	};
	static const char *const ids[] = {
		"guest-12345678", "@handle", "@handle1234567", "urn:mbid:AQ/aY+=", "acct:4512345678", "7d1f0c22-1f4e-4f55-9a38-1b5c0f6e7a10", "two words", "a+b",
		"\xD0\xB8\xD0\xB4-12345678",
	};

	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++)
		ok(address_clumsy(meant[i]) != ADDRESS_FAULTLESS, "\"%s\" is meant for a person", meant[i]);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		ok(address_clumsy(ids[i]) == ADDRESS_FAULTLESS, "\"%s\" is an id", ids[i]);
}

static void
test_masks(void)
{
	char		masked[64];
	char		small[8];

	address_mask(masked, sizeof(masked), "+13175550142");
	is_text(masked, "+1317...42", "a number without its middle");
	address_mask(masked, sizeof(masked), "guest-12");
	is_text(masked, "...12", "of a short id only the end");
	address_mask(masked, sizeof(masked), "joe@x.com");
	is_text(masked, "jo...om", "of a short address not nearly all");
	address_mask(masked, sizeof(masked), "1234");
	is_text(masked, "...", "of a shorter one nothing");
	address_mask(masked, sizeof(masked), "\xC3\x84\xC3\x96\xC3\x9C\xC3\x84\xC3\x96\xC3\x9C\xC3\x84\xC3\x96\xC3\x9C");
	is_text(masked, "\xC3\x84\xC3\x96...\xC3\x96\xC3\x9C", "by characters");
	address_mask(small, sizeof(small), "+13175550142");
	is_text(small, "", "nothing where there is no room");
}

int
main(void)
{
	char		form[128];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		is_text(form_of(form, forms[i].address, forms[i].channel, forms[i].country_code), forms[i].form, forms[i].name);
	test_nothings();
	test_spellings();
	test_faults();
	test_kinds();
	test_clumsy();
	test_masks();
	return done_testing();
}
