/*
 * base64.c: see base64.h.
 */
#include "base64.h"

#include <string.h>

#include "memory.h"

char *
base64_encode(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *) text;
	size_t		length = strlen(text);
	char	   *encoded = allocate((length + 2) / 3 * 4 + 1);
	char	   *to = encoded;

	for (size_t i = 0; i < length; i += 3)
	{
		size_t		rest = length - i;
		unsigned	bits = (unsigned) from[i] << 16;

		bits |= rest > 1 ? (unsigned) from[i + 1] << 8 : 0;
		bits |= rest > 2 ? from[i + 2] : 0;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = rest > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = rest > 2 ? digits[bits & 63] : '=';
	}
	return encoded;
}
