/*
 * sms_segments.c: how long a text is as an SMS (3GPP TS 23.038 and 23.040).
 */
#include "sms_segments.h"

#include <stddef.h>
#include <stdint.h>

/* A message of several segments spends six bytes of each on their order. */
#define GSM_ALONE 160
#define GSM_IN_MANY 153
#define UCS2_ALONE 70
#define UCS2_IN_MANY 67

/* Beyond ASCII: the alphabet's own, and those that it writes with an escape. */
static const uint16_t gsm_letters[] = {
	0xA1, 0xA3, 0xA4, 0xA5, 0xA7, 0xBF, 0xC4, 0xC5, 0xC6, 0xC7, 0xC9, 0xD1, 0xD6, 0xD8, 0xDC, 0xDF,
	0xE0, 0xE4, 0xE5, 0xE6, 0xE8, 0xE9, 0xEC, 0xF1, 0xF2, 0xF6, 0xF8, 0xF9, 0xFC,
	0x393, 0x394, 0x398, 0x39B, 0x39E, 0x3A0, 0x3A3, 0x3A6, 0x3A8, 0x3A9,
};
static const uint16_t gsm_escaped[] = {'\f', '[', '\\', ']', '^', '{', '|', '}', '~', 0x20AC};

static bool
is_among(uint32_t character, const uint16_t *characters, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (characters[i] == character)
			return true;
	return false;
}

#define IS_AMONG(character, array) is_among(character, array, sizeof(array) / sizeof((array)[0]))

/* 0: it is not of the alphabet. */
static int
gsm_units(uint32_t character)
{
	if (IS_AMONG(character, gsm_escaped))
		return 2;
	if (character == '\n' || character == '\r')
		return 1;
	if (character < 0x80)
		return character >= ' ' && character != '`' && character != 0x7F;
	return IS_AMONG(character, gsm_letters);
}

static int
ucs2_units(uint32_t character)
{
	return character > 0xFFFF ? 2 : 1;
}

/* The character that begins here; moves on to the next one. */
static uint32_t
next_character(const unsigned char **text)
{
	uint32_t	character = *(*text)++;

	if (character >= 0xC0)
		character &= character >= 0xF0 ? 0x07 : character >= 0xE0 ? 0x0F : 0x1F;
	while ((**text & 0xC0) == 0x80)
		character = character << 6 | (*(*text)++ & 0x3F);
	return character;
}

static bool
is_gsm_text(const char *text)
{
	const unsigned char *at = (const unsigned char *) text;

	while (*at != '\0')
		if (gsm_units(next_character(&at)) == 0)
			return false;
	return true;
}

/* A character of two units is in one segment, or in the next. */
static SmsLength
fill_segments(const char *text, bool is_gsm, int room)
{
	const unsigned char *at = (const unsigned char *) text;
	SmsLength	length = {.is_gsm = is_gsm};
	int			left = 0;

	while (*at != '\0')
	{
		uint32_t	character = next_character(&at);
		int			units = is_gsm ? gsm_units(character) : ucs2_units(character);

		if (units > left)
		{
			length.segments++;
			left = room;
		}
		left -= units;
		length.units += units;
	}
	return length;
}

SmsLength
sms_length(const char *text)
{
	bool		is_gsm = is_gsm_text(text);
	SmsLength	length = fill_segments(text, is_gsm, is_gsm ? GSM_ALONE : UCS2_ALONE);

	return length.segments > 1 ?
		fill_segments(text, is_gsm, is_gsm ? GSM_IN_MANY : UCS2_IN_MANY) : length;
}

int
sms_units_of(int segments, bool is_gsm)
{
	if (segments == 1)
		return is_gsm ? GSM_ALONE : UCS2_ALONE;
	return segments * (is_gsm ? GSM_IN_MANY : UCS2_IN_MANY);
}
