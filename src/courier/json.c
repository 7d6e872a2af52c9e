/*
 * json.c: reading and writing JSON, strictly, with json-c.
 */
#include "json.h"

#include <limits.h>
#include <string.h>

#include <json-c/json.h>

#include "exit.h"
#include "skim.h"
#include "memory.h"
#include "utf8.h"

/* Replies of the APIs we know nest 4 deep; a bomb nests thousands. */
#define JSON_DEPTH 16

/* A tree takes some ten times as much, of a hostile text three hundred times. */
#define JSON_WHOLE_MAX (256 * 1024)

JsonObject *
json_new(void)
{
	JsonObject *object = json_object_new_object();

	require(object != NULL);
	return object;
}

void
json_free(JsonObject *object)
{
	json_object_put(object);
}

/*
 * json-c 0.18, when strict, takes every byte beyond ASCII for a control
 * character.  There it may be lenient: whoever looks at a member asks for its
 * type, and nothing may follow the object.
 */
static int
parser_flags(void)
{
	static const char letter[] = "\"\xC3\xBC\"";
	static int	flags = -1;

	if (flags < 0)
	{
		struct json_tokener *tokener = json_tokener_new();

		require(tokener != NULL);
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
		json_object_put(json_tokener_parse_ex(tokener, letter, (int) strlen(letter)));
		flags = json_tokener_get_error(tokener) == json_tokener_success ? JSON_TOKENER_STRICT : 0;
		json_tokener_free(tokener);
	}
	return flags;
}

/* Only blanks from here on; a lenient parser stops at the end of the object. */
static bool
is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (memchr(" \t\r\n", text[i], 4) == NULL)
			return false;
	return true;
}

/*
 * Text that ends too early is no error to json-c but a wish for more, and
 * what follows the object need not be looked at by it: both are tested.
 */
static JsonObject *
read_value(const char *text, size_t length, enum json_type type)
{
	struct json_tokener *tokener;
	JsonObject *object;
	size_t		end;

	if (length == 0 || !utf8_is_valid(text, length))
		return NULL;
	tokener = json_tokener_new_ex(JSON_DEPTH);
	require(tokener != NULL);
	json_tokener_set_flags(tokener, parser_flags());
	object = json_tokener_parse_ex(tokener, text, (int) length);
	end = json_tokener_get_parse_end(tokener);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
		!is_blank(text + end, length - end) ||
		!json_object_is_type(object, type))
	{
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

JsonObject *
json_read(const char *text, size_t length)
{
	return length <= JSON_WHOLE_MAX ? read_value(text, length, json_type_object) : NULL;
}

JsonObject *
json_read_wanted(const char *text, size_t length, const char *const *names)
{
	FrameBuffer kept = {0};
	JsonObject *object = NULL;

	if (length <= JSON_WHOLE_MAX)
		return read_value(text, length, json_type_object);
	if (length <= INT_MAX && utf8_is_valid(text, length) && skim(text, length, names, &kept))
		object = read_value((const char *) kept.data, kept.length, json_type_object);
	frame_buffer_free(&kept);
	return object;
}

JsonObject *
json_read_array(const char *text, size_t length, const char *name)
{
	JsonObject *array = length <= JSON_WHOLE_MAX ? read_value(text, length, json_type_array) : NULL;
	JsonObject *object;

	if (array == NULL)
		return NULL;
	object = json_new();
	require(json_object_object_add(object, name, array) == 0);
	return object;
}

/* The member if it is there and of that type, otherwise NULL. */
static JsonObject *
typed_member(const JsonObject *object, const char *name, enum json_type type)
{
	JsonObject *found;

	if (object == NULL || !json_object_object_get_ex(object, name, &found) ||
		!json_object_is_type(found, type))
		return NULL;
	return found;
}

/* Text with a NUL inside is none. */
static const char *
text_of(JsonObject *value)
{
	const char *text;

	if (!json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	return strlen(text) == (size_t) json_object_get_string_len(value) ? text : NULL;
}

const char *
json_member_text(const JsonObject *object, const char *name)
{
	return text_of(typed_member(object, name, json_type_string));
}

const char *
json_member_word(const JsonObject *object, const char *name)
{
	JsonObject *number = typed_member(object, name, json_type_int);

	return number != NULL ? json_object_get_string(number) : json_member_text(object, name);
}

const JsonObject *
json_member_object(const JsonObject *object, const char *name)
{
	return typed_member(object, name, json_type_object);
}

bool
json_member_number(const JsonObject *object, const char *name, int64_t *number)
{
	JsonObject *found = typed_member(object, name, json_type_int);

	if (found == NULL)
		return false;
	*number = json_object_get_int64(found);
	return true;
}

size_t
json_member_count(const JsonObject *object, const char *name)
{
	JsonObject *found = typed_member(object, name, json_type_array);

	return found != NULL ? json_object_array_length(found) : 0;
}

const JsonObject *
json_member_at(const JsonObject *object, const char *name, size_t place)
{
	JsonObject *array = typed_member(object, name, json_type_array);
	JsonObject *found = array != NULL ? json_object_array_get_idx(array, place) : NULL;

	return json_object_is_type(found, json_type_object) ? found : NULL;
}

const char *
json_member_text_at(const JsonObject *object, const char *name, size_t place)
{
	JsonObject *array = typed_member(object, name, json_type_array);

	return array != NULL ? text_of(json_object_array_get_idx(array, place)) : NULL;
}

static void
add_member(JsonObject *object, const char *name, JsonObject *value)
{
	require(value != NULL && json_object_object_add(object, name, value) == 0);
}

void
json_add_text(JsonObject *object, const char *name, const char *text)
{
	if (text != NULL)
		add_member(object, name, json_object_new_string(text));
}

void
json_add_flag(JsonObject *object, const char *name, bool flag)
{
	add_member(object, name, json_object_new_boolean(flag));
}

void
json_add_read(JsonObject *object, const char *name, const char *text)
{
	JsonObject *value = json_read(text, strlen(text));

	if (value != NULL)
		add_member(object, name, value);
}

JsonObject *
json_add_object(JsonObject *object, const char *name)
{
	JsonObject *value = json_new();

	add_member(object, name, value);
	return value;
}

char *
json_write(JsonObject *object)
{
	const char *text = json_object_to_json_string_ext(object,
													  JSON_C_TO_STRING_PLAIN |
													  JSON_C_TO_STRING_NOSLASHESCAPE);

	require(text != NULL);
	return copy_text(text);
}

const char *
json_library_version(void)
{
	return json_c_version();
}
