/*
 * md5_test.c: the vectors of RFC 1321, and each length about the edges of a block.
 */
#include "md5.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

static const struct
{
	const char *text;
	const char *digest;
}			cases[] = {
	{"", "d41d8cd98f00b204e9800998ecf8427e"},
	{"a", "0cc175b9c0f1b6a831c399e269772661"},
	{"abc", "900150983cd24fb0d6963f7d28e17f72"},
	{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
	{"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
	{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
	{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	"57edf4a22be3c955ac49da2e2107b67a"},
};

static const char *
in_hex(const unsigned char digest[MD5_SIZE])
{
	static char hex[2 * MD5_SIZE + 1];

	for (int i = 0; i < MD5_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

int
main(void)
{
	unsigned char digest[MD5_SIZE];
	unsigned char sum[MD5_SIZE] = {0};
	char		bytes[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		md5_of(cases[i].text, strlen(cases[i].text), digest);
		ok(strcmp(in_hex(digest), cases[i].digest) == 0, "of \"%s\"", cases[i].text);
	}
	/* md5sum's digests of 0 to 200 bytes 0xFF, each xored with the last */
	memset(bytes, 0xFF, sizeof(bytes));
	for (size_t length = 0; length <= sizeof(bytes); length++)
	{
		md5_of(bytes, length, digest);
		for (int i = 0; i < MD5_SIZE; i++)
			sum[i] ^= digest[i];
	}
	ok(strcmp(in_hex(sum), "e8fea2956721b556fe3b51a6be522d17") == 0, "of every length up to three blocks");
	md5_of("message digest", 14, digest);
	ok(md5_low_bits(digest, 31) == 0x2af161d0, "the low 31 bits");
	ok(md5_low_bits(digest, 48) == UINT64_C(0x2f31aaf161d0), "the low 48 bits");
	ok(md5_low_bits(digest, 64) == UINT64_C(0x525a2f31aaf161d0), "and 64");
	return done_testing();
}
