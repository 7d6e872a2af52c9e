/*
 * base64.c: see base64.h.
 */
#include "base64.h"

#include <string.h>

#include "memory.h"

void
base64_group(char *to, const char *text, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *) text;
	unsigned	bits = (unsigned) from[0] << 16;

	bits |= length > 1 ? (unsigned) from[1] << 8 : 0;
	bits |= length > 2 ? from[2] : 0;
	to[0] = digits[bits >> 18];
	to[1] = digits[bits >> 12 & 63];
	to[2] = length > 1 ? digits[bits >> 6 & 63] : '=';
	to[3] = length > 2 ? digits[bits & 63] : '=';
}

char *
base64_encode(const char *text)
{
	size_t		length = strlen(text);
	char	   *encoded = allocate((length + 2) / 3 * BASE64_GROUP + 1);
	char	   *to = encoded;

	for (size_t i = 0; i < length; i += 3, to += BASE64_GROUP)
		base64_group(to, text + i, length - i);
	return encoded;
}
