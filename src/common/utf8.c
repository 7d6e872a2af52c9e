/*
 * utf8.c: a strict check of UTF-8.
 *
 * Our own, because json-c's is not to be relied on: 0.18 refuses every
 * character beyond ASCII.
 */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* The bytes of the character that begins here; 0: it is malformed. */
static size_t
character_length(const unsigned char *at, size_t left)
{
	size_t		length = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 :
		at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;

	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	if ((at[0] == 0xE0 && at[1] < 0xA0) ||	/* overlong */
		(at[0] == 0xED && at[1] > 0x9F) ||	/* a surrogate */
		(at[0] == 0xF0 && at[1] < 0x90) ||	/* overlong */
		(at[0] == 0xF4 && at[1] > 0x8F))	/* beyond U+10FFFF */
		return 0;
	return length;
}

bool
utf8_is_valid(const char *text, size_t length)
{
	const unsigned char *at = (const unsigned char *) text;

	while (length > 0)
	{
		size_t		used;
		uint64_t	eight;

		/* most of it is ASCII */
		if (length >= sizeof(eight))
		{
			memcpy(&eight, at, sizeof(eight));
			if ((eight & UINT64_C(0x8080808080808080)) == 0)
			{
				at += sizeof(eight);
				length -= sizeof(eight);
				continue;
			}
		}
		used = character_length(at, length);
		if (used == 0)
			return false;
		at += used;
		length -= used;
	}
	return true;
}
