/*
 * sms_segments_test.c: how long a text is as an SMS.
 */
#include "sms_segments.h"

#include <stdlib.h>

#include "tap.h"

/* So many times the one text, then once the other. */
static SmsLength
length_of(int count, const char *text, const char *end)
{
	char	   *whole = malloc(count * strlen(text) + strlen(end) + 1);
	SmsLength	length;

	whole[0] = '\0';
	for (char *at = whole; count > 0; count--, at += strlen(at))
		strcpy(at, text);
	strcat(whole, end);
	length = sms_length(whole);
	free(whole);
	return length;
}

typedef struct LengthCase
{
	int			count;
	const char *text;
	const char *end;
	bool		is_gsm;
	int			units;
	int			segments;
} LengthCase;

static const LengthCase cases[] = {
	{0, "", "", true, 0, 0},
	{1, "Are you still there?", "", true, 20, 1},
	{160, "x", "", true, 160, 1},
	{161, "x", "", true, 161, 2},
	{306, "x", "", true, 306, 2},
	{307, "x", "", true, 307, 3},
	{765, "x", "", true, 765, 5},
	{766, "x", "", true, 766, 6},
	{160, "ä", "", true, 160, 1},
	{160, "Ω", "", true, 160, 1},
	{1, "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà", "", true, 65, 1},
	/* escaped ones are two, and stay together */
	{80, "€", "", true, 160, 1},
	{80, "{", "}", true, 162, 2},
	{152, "x", "€", true, 154, 1},
	{76, "[x", "]", true, 230, 2},
	{382, "€", "", true, 764, 6},
	{380, "~", "", true, 760, 5},
	/* one character of another alphabet makes all of them long */
	{70, "я", "", false, 70, 1},
	{71, "я", "", false, 71, 2},
	{69, "x", "я", false, 70, 1},
	{70, "x", "я", false, 71, 2},
	{335, "я", "", false, 335, 5},
	{336, "я", "", false, 336, 6},
	{10, "x", "’", false, 11, 1},
	{10, "x", "`", false, 11, 1},
	{10, "x", "\t", false, 11, 1},
	{10, "x", "ç", false, 11, 1},
	{10, "x", "á", false, 11, 1},
	/* beyond the first plane: two, which stay together */
	{35, "😀", "", false, 70, 1},
	{35, "😀", "x", false, 71, 2},
	{165, "😀", "", false, 330, 5},
	{166, "😀", "", false, 332, 6},
	{66, "x", "😀x", false, 69, 1},
	{66, "x", "😀xxx", false, 71, 2},
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const LengthCase *wanted = &cases[i];
		SmsLength	length = length_of(wanted->count, wanted->text, wanted->end);

		ok(length.is_gsm == wanted->is_gsm, "%d times \"%s\" and \"%s\": the alphabet",
		   wanted->count, wanted->text, wanted->end);
		is_number(length.units, wanted->units, "its units");
		is_number(length.segments, wanted->segments, "its segments");
	}
	is_number(sms_units_of(5, true), 765, "what five segments hold");
	is_number(sms_units_of(5, false), 335, "of other alphabets");
	is_number(sms_units_of(1, true), 160, "one has no header");
	is_number(sms_units_of(1, false), 70, "of either alphabet");
	return done_testing();
}
