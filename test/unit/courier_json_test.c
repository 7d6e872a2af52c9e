/*
 * courier_json_test.c: JSON is believed only if all of it is in order.
 */
#define _GNU_SOURCE
#include "json.h"
#include "skim.h"

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

/* --- long texts ---------------------------------------------------------------- */

static const char *const names[] = {"id", "list", "inner", NULL};

typedef struct SkimCase
{
	const char *text;
	const char *kept;			/* NULL: refused */
} SkimCase;

static const SkimCase skims[] = {
	{"{}", "{}"},
	{" { \"id\" : 1 , \"x\" : 2 } ", "{\"id\":1}"},
	{"{\"x\":2,\"id\":1}", "{\"id\":1}"},
	{"{\"x\":2,\"id\":1,\"y\":[3,{\"id\":4}],\"list\":[ ]}", "{\"id\":1,\"list\":[]}"},
	{"{\"list\":[{\"x\":1},{\"inner\":{\"id\":\"a\\\"b\"}},7,\"x\",null]}",
	"{\"list\":[{},{\"inner\":{\"id\":\"a\\\"b\"}},7,\"x\",null]}"},
	{"{\"id\\u0000\":1,\"i\\u0064\":2,\"ID\":3,\"idx\":4,\"\":5}", "{}"},
	{"{\"x\":\"}],{\\\\\",\"id\":-1.5e+3}", "{\"id\":-1.5e+3}"},
	{"", NULL}, {"[]", NULL}, {"7", NULL}, {"{", NULL}, {"{}x", NULL}, {"{}{}", NULL},
	{"{\"id\"}", NULL}, {"{\"id\":}", NULL}, {"{\"id\":1,}", NULL}, {"{,}", NULL}, {"{\"id\":1 \"x\":2}", NULL},
	{"{id:1}", NULL}, {"{\"x\":yes}", NULL}, {"{\"x\":+1}", NULL}, {"{\"x\":\"\n\"}", NULL},
	{"{\"x\":\"a", NULL}, {"{\"x\":\"a\\", NULL}, {"{\"x\":[1 2]}", NULL}, {"{\"x\":[1,]}", NULL}, {"{\"x\":[1}}", NULL},
	{"{\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", NULL},
};

static void
test_skim(void)
{
	for (size_t i = 0; i < sizeof(skims) / sizeof(skims[0]); i++)
	{
		FrameBuffer kept = {0};
		bool		good = skim(skims[i].text, strlen(skims[i].text), names, &kept);

		frame_buffer_reserve(&kept, 1);
		kept.data[kept.length] = '\0';
		ok(good == (skims[i].kept != NULL), "skim: %s", skims[i].text);
		if (good && skims[i].kept != NULL)
			is_text((const char *) kept.data, skims[i].kept, "what is left of it");
		frame_buffer_free(&kept);
	}
}

/* So many times the piece between a beginning and an end. */
static char *
repeat(const char *begin, const char *piece, size_t count, const char *end)
{
	size_t		length = strlen(piece);
	char	   *text = malloc(strlen(begin) + count * length + strlen(end) + 1);
	char	   *to = stpcpy(text, begin);

	for (size_t i = 0; i < count; i++, to += length)
		memcpy(to, piece, length);
	strcpy(to, end);
	return text;
}

static void
test_long(void)
{
	char	   *text = repeat("{\"x\":[", "{\"y\":\"some padding\"},", 200000, "{}],\"id\":\"a-1\"}");
	JsonObject *object = json_read_wanted(text, strlen(text), names);

	is_text(json_member_text(object, "id"), "a-1", "a long text: what is wanted of it");
	ok(json_read(text, strlen(text)) == NULL, "which is not read as a whole");
	ok(json_read_wanted(text, strlen(text) - 1, names) == NULL, "nor if it has no end");
	json_free(object);
	free(text);

	text = repeat("{\"id\":\"a-1\",\"list\":[", "{},", 1000000, "{}]}");
	ok(json_read_wanted(text, strlen(text), names) == NULL, "a text that would become a thousand times as much");
	free(text);
	text = repeat("{\"id\":\"a-1\",\"list\":[", "1,", 1000000, "1]}");
	ok(json_read_wanted(text, strlen(text), names) == NULL, "whatever it is made of");
	free(text);
	text = repeat("{\"id\":\"", "x", 3000000, "\"}");
	object = json_read_wanted(text, strlen(text), names);
	ok(object != NULL && strlen(json_member_text(object, "id")) == 3000000, "a long value is not many");
	json_free(object);
	free(text);
	text = repeat("{\"id\":\"a-1\",\"x\":\"", "\xC3\x28", 300000, "\"}");
	ok(json_read_wanted(text, strlen(text), names) == NULL, "what is left out must be UTF-8, too");
	free(text);
}

int
main(void)
{
	test_skim();
	test_long();
	test_read();
	test_members();
	test_write();
	return done_testing();
}
