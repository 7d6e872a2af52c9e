/*
 * courier_text_test.c: text from an API leaves the courier harmless.
 */
#include "text.h"

#include <stdlib.h>

#include "tap.h"

static const Secrets secrets = {.words = {"s3cret", "aWQ6czNjcmV0", "token-1"}};
static const Secrets no_secrets = {.words = {NULL, "", NULL}};

typedef struct CleanCase
{
	const char *name;
	size_t		size;
	const char *from;
	const char *wanted;
} CleanCase;

static const CleanCase clean_cases[] = {
	{"nothing", 80, "", ""},
	{"plain text stays", 80, "Try again later.", "Try again later."},
	{"cut to the size", 6, "abcdefgh", "abcde"},
	{"white space", 80, "a\tb\r\nc", "a b  c"},
	{"control bytes", 80, "a\x01z\x7Fz\x1B[31m", "a?z?z?[31m"},
	{"one mark for one character of UTF-8", 80, "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC 1", "gr?? ? 1"},
	{"stray bytes", 80, "a\xBF z\x80", "a? z?"},
	{"a secret", 80, "bad secret s3cret!", "bad secret ***!"},
	{"the Basic form", 80, "Basic aWQ6czNjcmV0", "Basic ***"},
	{"the token, twice", 80, "token-1token-1", "***"},
	{"a secret at the end", 80, "s3cret", "***"},
	{"a part of a secret is none", 80, "s3cre", "s3cre"},
	{"a secret that the cut would halve", 14, "abcdefghij s3cret", "abcdefghij **"},
	{"cleaning does not join a secret", 80, "s3c\xBFret s3c\x01ret", "*** ***"},
};

static void
test_clean(void)
{
	char		to[80];

	for (size_t i = 0; i < sizeof(clean_cases) / sizeof(clean_cases[0]); i++)
	{
		text_clean(to, clean_cases[i].size, clean_cases[i].from, &secrets);
		is_text(to, clean_cases[i].wanted, clean_cases[i].name);
	}
	text_clean(to, sizeof(to), NULL, &secrets);
	is_text(to, "", "no text is an empty one");
	text_clean(to, sizeof(to), "s3cret", &no_secrets);
	is_text(to, "s3cret", "empty secrets hide nothing");
	text_clean_bytes(to, sizeof(to), "a\0b", 3, &secrets);
	is_text(to, "a?b", "a NUL does not end it");
}

static void
test_word(void)
{
	char		to[8];

	ok(text_copy_word(to, sizeof(to), "Active"), "a word");
	is_text(to, "active", "is lower-cased");
	ok(text_copy_word(to, sizeof(to), "a-b_9Zz"), "a word that just fits");
	ok(!text_copy_word(to, sizeof(to), "a-b_9Zzz"), "a word that does not");
	is_text(to, "", "leaves nothing");
	ok(!text_copy_word(to, sizeof(to), ""), "no letters, no word");
	ok(!text_copy_word(to, sizeof(to), NULL), "nothing, no word");
	ok(!text_copy_word(to, sizeof(to), "a b"), "two words are none");
	ok(!text_copy_word(to, sizeof(to), "\xC3\xBC"), "ASCII only");
}

static void
test_line(void)
{
	char		to[16];

	ok(text_copy_line(to, sizeof(to), "J\xC3\xBCrgen@x.de"), "an address may be UTF-8");
	is_text(to, "J\xC3\xBCrgen@x.de", "and stays as it is");
	ok(!text_copy_line(to, sizeof(to), "a\nb"), "a line has no line end");
	ok(!text_copy_line(to, sizeof(to), "a\x7F"), "nor other control bytes");
	is_text(to, "", "and leaves nothing");
	ok(!text_copy_line(to, sizeof(to), ""), "an empty one is none");
	ok(!text_copy_line(to, sizeof(to), NULL), "nothing is none");
	ok(text_copy_line(to, sizeof(to), "123456789012345"), "one that just fits");
	ok(!text_copy_line(to, sizeof(to), "1234567890123456"), "one that does not");
}

static const struct
{
	const char *text;
	const char *hidden;
}			address_cases[] = {
	{"cannot send to +13175550142 now", "cannot send to *** now"},
	{"cannot send to +1 (317) 555-0142.", "cannot send to ***."},
	{"number 3175550142", "number ***"},
	{"number 123456", "number 123456"},
	{"on 2026-11-22 at 10:15, port 8080", "on 2026-11-22 at 10:15, port 8080"},
	{"mail ann.lee+x@example.com bounced", "mail *** bounced"},
	{"numbers 317-555-0142, (317) 555 0142, 0171/123 45 67 and 317.555.0142", "numbers ***, ***, *** and ***"},
	{"00 49 171 1234567 or +49 (0) 171 / 123 45 67", "*** or ***"},
	{"%2B1%20317%20555%200142 \\u002b13175550142 &#43;1&#51;175550142", "*** *** ***"},
	{"ann%40example.com and ann&#64;example.com and ann\\u0040example.com", "*** and *** and ***"},
	{"Failed to connect to 192.168.100.200 port 8080 after 2000 ms", "Failed to connect to 192.168.100.200 port 8080 after 2000 ms"},
	{"at 2026-11-22T10:15:00Z, 2026-11-22 10:15", "at 2026-11-22T10:15:00Z, 2026-11-22 10:15"},
	{"code 131009 (403)", "code 131009 (403)"},
	{"+1 (317) 555-0142 2026-11-22", "*** 2026-11-22"},
	{"@", "***"},
	{"+", "+"},
	{"", ""},
};

static void
test_hiding(void)
{
	for (size_t i = 0; i < sizeof(address_cases) / sizeof(address_cases[0]); i++)
	{
		char		text[100];

		text_clean(text, sizeof(text), address_cases[i].text, &no_secrets);
		is_text(text, address_cases[i].hidden, address_cases[i].text);
	}
}

int
main(void)
{
	test_hiding();
	test_clean();
	test_word();
	test_line();
	return done_testing();
}
