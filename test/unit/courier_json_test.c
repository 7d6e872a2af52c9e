/*
 * courier_json_test.c: JSON is believed only if all of it is in order.
 */
#include "json.h"

#include <stdlib.h>

#include "tap.h"

typedef struct JsonCase
{
	const char *name;
	const char *text;
	bool		readable;
} JsonCase;

/* Comments and the like are not here: json-c's versions differ, and neither answer does harm. */
static const JsonCase cases[] = {
	{"an object", "{\"a\": 1}", true},
	{"an empty object", "{}", true},
	{"space around it", " \n{}\r\n ", true},
	{"nothing", "", false},
	{"an array", "[{}]", false},
	{"a text", "\"{}\"", false},
	{"null", "null", false},
	{"cut", "{\"a\": \"b", false},
	{"cut before the end", "{\"a\": 1", false},
	{"something after it", "{} x", false},
	{"two objects", "{}{}", false},
	{"bad UTF-8", "{\"a\":\"\xFF\"}", false},
	{"15 deep", "{\"a\":[[[[[[[[[[[[[[]]]]]]]]]]]]]]}", true},
	{"17 deep", "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", false},
	{"a page", "<html></html>", false},
};

static void
test_read(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		JsonObject *object = json_read(cases[i].text, strlen(cases[i].text));

		ok((object != NULL) == cases[i].readable, "%s", cases[i].name);
		json_free(object);
	}
	ok(json_read("{}\0", 3) == NULL, "a NUL after it");
}

static void
test_members(void)
{
	static const char text[] = "{\"text\":\"x\",\"number\":7,\"object\":{\"text\":\"y\"},"
		"\"nul\":\"a\\u0000b\",\"null\":null}";
	JsonObject *object = json_read(text, strlen(text));
	int64_t		number = 0;

	is_text(json_member_text(object, "text"), "x", "a text");
	is_text(json_member_text(object, "number"), NULL, "a number is no text");
	is_text(json_member_text(object, "nul"), NULL, "a NUL inside makes it absent");
	is_text(json_member_text(object, "null"), NULL, "null is absent");
	is_text(json_member_text(NULL, "text"), NULL, "no object has no members");
	is_text(json_member_text(json_member_object(object, "object"), "text"), "y", "a nested text");
	ok(json_member_object(object, "text") == NULL, "a text is no object");
	ok(json_member_number(object, "number", &number) && number == 7, "a number");
	ok(!json_member_number(object, "text", &number), "a text is no number");
	json_free(object);
}

static void
test_write(void)
{
	JsonObject *object = json_new();
	char	   *text;

	json_add_text(object, "a", "/\"\\\n\x01\xC3\xBC");
	json_add_text(object, "absent", NULL);
	json_add_text(json_add_object(object, "o"), "b", "c");
	text = json_write(object);
	is_text(text, "{\"a\":\"/\\\"\\\\\\n\\u0001\xC3\xBC\",\"o\":{\"b\":\"c\"}}", "written");
	free(text);
	json_free(object);
}

int
main(void)
{
	test_read();
	test_members();
	test_write();
	return done_testing();
}
