/*
 * utf8_test.c: every boundary of well-formed UTF-8, and all pairs of bytes.
 */
#include "utf8.h"

#include <string.h>

#include "tap.h"

static const struct
{
	const char *name;
	const char *text;
	bool		valid;
}			cases[] = {
	{"nothing", "", true},
	{"ASCII", "abc~\x7f", true},
	{"two bytes, the first", "\xC2\x80", true},
	{"two bytes, the last", "\xDF\xBF", true},
	{"three bytes, the first", "\xE0\xA0\x80", true},
	{"before the surrogates", "\xED\x9F\xBF", true},
	{"after the surrogates", "\xEE\x80\x80", true},
	{"three bytes, the last", "\xEF\xBF\xBF", true},
	{"four bytes, the first", "\xF0\x90\x80\x80", true},
	{"four bytes, the last", "\xF4\x8F\xBF\xBF", true},
	{"an emoji in a text", "a \xF0\x9F\x98\x80 b", true},
	{"a lone continuation", "\x80", false},
	{"overlong, two bytes", "\xC0\xAF", false},
	{"overlong, the last of two bytes", "\xC1\xBF", false},
	{"overlong, three bytes", "\xE0\x9F\xBF", false},
	{"overlong, four bytes", "\xF0\x8F\xBF\xBF", false},
	{"the first surrogate", "\xED\xA0\x80", false},
	{"the last surrogate", "\xED\xBF\xBF", false},
	{"beyond Unicode", "\xF4\x90\x80\x80", false},
	{"far beyond", "\xF5\x80\x80\x80", false},
	{"five bytes", "\xF8\x88\x80\x80\x80", false},
	{"0xFF", "\xFF", false},
	{"cut after one of two", "\xC3", false},
	{"cut after two of three", "\xE2\x82", false},
	{"cut after three of four", "\xF0\x9F\x98", false},
	{"a character where a continuation should be", "\xE2\x82z", false},
};

int
main(void)
{
	int			valid_pairs = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(utf8_is_valid(cases[i].text, strlen(cases[i].text)) == cases[i].valid, "%s", cases[i].name);
	ok(utf8_is_valid("a\0b", 3), "a NUL is a character");
	for (int first = 0; first < 256; first++)
		for (int second = 0; second < 256; second++)
		{
			const char	pair[2] = {(char) first, (char) second};

			valid_pairs += utf8_is_valid(pair, 2);
		}
	/* two of ASCII, or one of two bytes */
	ok(valid_pairs == 128 * 128 + 30 * 64, "of all pairs of bytes, those and no others");
	return done_testing();
}
