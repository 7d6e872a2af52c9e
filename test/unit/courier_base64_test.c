/*
 * courier_base64_test.c: base64, as a login wants it.
 */
#include "base64.h"

#include <stdlib.h>

#include "tap.h"

int
main(void)
{
	static const char *const cases[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foobar", "Zm9vYmFy"}, {"id:s3cret", "aWQ6czNjcmV0"},
		{"\xFF\xFE\xFD", "//79"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char	   *encoded = base64_encode(cases[i][0]);

		is_text(encoded, cases[i][1], "base64");
		free(encoded);
	}
	return done_testing();
}
