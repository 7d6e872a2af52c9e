/*
 * courier_received_test.c: replies are kept up to a size, whatever they are made of.
 */
#include "received.h"

#include "tap.h"

#define MUCH (5 * 1024 * 1024)

typedef bool (*Take) (Received *received, const char *data, size_t size);

/* How many bytes are taken in before it says that this is too much. */
static size_t
taken(Take take, const char *piece, size_t body_max)
{
	Received	received = {.body_max = body_max};
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
	is_number(taken(received_header, line, 0), 0, "one long header");
	is_number(taken(received_header, "X: y\r\n", 0), 65532, "many headers");
	is_number(taken(received_header, "HTTP/1.1 100 Continue\r\n", 0), 65527, "many interim responses");
	is_number(taken(received_header, "HTTP/X: y\r\n", 0), 65527, "headers that look like a status");
	is_number(taken(received_body, "0123456789abcdef", 0), 4 * 1024 * 1024, "a body");
	is_number(taken(received_body, "0123456789abcdef", 65536), 65536, "a body, of a server with a lower limit");
	is_number(taken(received_body, line, 0), 0, "one long piece of a body");
}

/* However many they are, they do not fill the memory; and those that are done with count no more. */
static void
test_all_together(void)
{
	static char piece[MUCH];
	static Received many[20];
	size_t		kept = 0;

	for (int i = 0; i < 20; i++)
	{
		many[i].body_max = sizeof(piece);
		if (received_body(&many[i], piece, sizeof(piece)))
			kept += sizeof(piece);
	}
	ok(kept <= REPLIES_MAX && kept > REPLIES_MAX - sizeof(piece), "many long bodies: %zu bytes", kept);
	ok(many[19].oversized, "the last one was too much");
	received_free(&many[0]);
	memset(&many[0], 0, sizeof(many[0]));
	many[0].body_max = sizeof(piece);
	ok(received_body(&many[0], piece, sizeof(piece)), "until another one is done with");
	for (int i = 0; i < 20; i++)
		received_free(&many[i]);
}

/* What one reply left behind is no part of the next one, and a long one leaves no memory behind. */
static void
test_next_reply(void)
{
	static char piece[64 * 1024];
	Received	received = {.body_max = 100};

	received_header(&received, "HTTP/1.1 200 OK\r\n", 17);
	received_header(&received, "\r\n", 2);
	received_body(&received, "{\"a\": 1}", 8);
	received_clear(&received);
	ok(received.headers.length == 0 && received.body.length == 0 && !received.headers_end &&
	   received.header_bytes == 0 && received.body_max == 0, "nothing of it is left");
	ok(received.body.capacity > 0, "but its memory");
	ok(memcmp(received.body.data, piece, 8) == 0, "in which nothing stands");

	received_body(&received, "[]", 2);
	is_number(received.body.length, 2, "the next one begins at the beginning");
	received_clear(&received);
	received_body(&received, piece, sizeof(piece));
	received_clear(&received);
	is_number(received.body.capacity, 0, "a long one keeps none");
}

/* A reply that ends in its headers is not all of it. */
static void
test_headers_end(void)
{
	static const char *const lines[] = {
		"HTTP/1.1 100 Continue\r\n", "\r\n", "HTTP/1.1 400 Bad Request\r\n", "X: y\r\n", "\r", "\r\n", "T: trailer\r\n",
	};
	static const bool ends[] = {false, true, false, false, false, true, true};
	Received	received = {0};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
	{
		received_header(&received, lines[i], strlen(lines[i]));
		ok(received.headers_end == ends[i], "headers and their end, line %zu", i);
	}
	received_free(&received);
}

/* Where only the end of the connection tells the end of the body, JSON has to tell. */
static void
test_seems_cut(void)
{
	static const struct
	{
		const char *head;
		const char *body;
		bool		cut;
	}			cases[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "{\"message\": \"conv", true},
		{"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n", "{", true},
		{"HTTP/1.1 400 -\r\n\r\n", "[{\"message\": \"x\"}", true},
		{"HTTP/1.1 400 -\r\n\r\n", "{\"message\": \"x\"}", false},
		{"HTTP/1.1 400 -\r\n\r\n", "{\"message\": \"x\"} \r\n", false},
		{"HTTP/1.1 400 -\r\n\r\n", "<html>not JS", false},
		{"HTTP/1.1 400 -\r\n\r\n", "", false},
		{"HTTP/1.1 400 -\r\n\r\n", " \n", false},
		{"HTTP/1.1 400 -\r\ncontent-length: 5\r\n\r\n", "{\"a\":", false},
		{"HTTP/1.1 400 -\r\nTransfer-Encoding: chunked\r\n\r\n", "{\"a\":", false},
		{"HTTP/2 400\r\n\r\n", "{\"a\":", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Received	received = {0};

		received_header(&received, cases[i].head, strlen(cases[i].head));
		received_body(&received, cases[i].body, strlen(cases[i].body));
		ok(received_seems_cut(&received) == cases[i].cut, "\"%s\" is %scut", cases[i].body, cases[i].cut ? "" : "not ");
		received_free(&received);
	}
}

static void
test_interim(void)
{
	static const char *const lines[] = {
		"HTTP/1.1 103 Early Hints\r\n", "Retry-After: 7\r\n", "HTTP/1.1 200 OK\r\n",
	};
	Received	received = {0};

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
	test_all_together();
	test_next_reply();
	test_headers_end();
	test_seems_cut();
	return done_testing();
}
