/*
 * courier_received_test.c: replies are kept up to a size, whatever they are made of.
 */
#include "received.h"

#include "tap.h"

#define MUCH (1024 * 1024)

typedef bool (*Take) (Received *received, const char *data, size_t size);

/* How many bytes are taken in before it says that this is too much. */
static size_t
taken(Take take, const char *piece)
{
	Received	received = {{0}, {0}, 0, false};
	size_t		size = strlen(piece);
	size_t		count = 0;

	while (count < MUCH && take(&received, piece, size))
		count += size;
	ok(received.oversized == (count < MUCH), "what is refused is called oversized");
	ok(received.headers.length + received.body.length <= count, "and not kept");
	received_free(&received);
	return count;
}

static void
test_limits(void)
{
	static char line[MUCH];

	memset(line, 'x', sizeof(line) - 1);
	is_number(taken(received_header, line), 0, "one long header");
	is_number(taken(received_header, "X: y\r\n"), 65532, "many headers");
	is_number(taken(received_header, "HTTP/1.1 100 Continue\r\n"), 65527, "many interim responses");
	is_number(taken(received_header, "HTTP/X: y\r\n"), 65527, "headers that look like a status");
	is_number(taken(received_body, "0123456789abcdef"), 256 * 1024, "a body");
	is_number(taken(received_body, line), 0, "one long piece of a body");
}

static void
test_interim(void)
{
	static const char *const lines[] = {
		"HTTP/1.1 103 Early Hints\r\n", "Retry-After: 7\r\n", "HTTP/1.1 200 OK\r\n",
	};
	Received	received = {{0}, {0}, 0, false};

	ok(received_body(&received, "", 0), "nothing may arrive");
	is_text(received_text(&received.headers), "", "nothing is an empty text");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		received_header(&received, lines[i], strlen(lines[i]));
	ok(received.headers.length == strlen(lines[2]) &&
	   memcmp(received_text(&received.headers), lines[2], strlen(lines[2])) == 0,
	   "headers of an interim response are forgotten");
	received_free(&received);
}

int
main(void)
{
	test_limits();
	test_interim();
	return done_testing();
}
