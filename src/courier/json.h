/*
 * json.h: reading and writing JSON, strictly.
 *
 * A reply is believed only if all of it is one JSON object of valid UTF-8
 * and reasonable depth.  A member of another type than asked for is absent.
 */
#ifndef COURIER_JSON_H
#define COURIER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_object JsonObject;

/*
 * NULL unless the whole text is one object, of up to 256 kB.  Free it with
 * json_free().
 */
extern JsonObject *json_read(const char *text, size_t length);

/*
 * The same of a text of any length: of a longer one only the members with those
 * names, at any depth, are there.  The names end with NULL.
 */
extern JsonObject *json_read_wanted(const char *text, size_t length, const char *const *names);

/* The same of an array, which becomes the member "name" of a new object. */
extern JsonObject *json_read_array(const char *text, size_t length, const char *name);

/* An empty object; free it with json_free(). */
extern JsonObject *json_new(void);

/* Frees the object and all that is in it; NULL is fine. */
extern void json_free(JsonObject *object);

/*
 * Members by name; "object" may be NULL, which has none.  They live as long
 * as the object does.  Text with a NUL inside counts as absent.
 */
extern const char *json_member_text(const JsonObject *object, const char *name);
extern const JsonObject *json_member_object(const JsonObject *object, const char *name);
extern bool json_member_number(const JsonObject *object, const char *name, int64_t *number);

/* A text, or a whole number as text: for what APIs write in either way. */
extern const char *json_member_word(const JsonObject *object, const char *name);

/* How many elements the member has that is an array; 0: it is none. */
extern size_t json_member_count(const JsonObject *object, const char *name);

/* One of them.  NULL: it is no object, or no text. */
extern const JsonObject *json_member_at(const JsonObject *object, const char *name, size_t place);
extern const char *json_member_text_at(const JsonObject *object, const char *name, size_t place);

/* Adds a text; does nothing if it is NULL. */
extern void json_add_text(JsonObject *object, const char *name, const char *text);

extern void json_add_flag(JsonObject *object, const char *name, bool flag);

/* Adds what json_read() makes of the text; does nothing if that is no object. */
extern void json_add_read(JsonObject *object, const char *name, const char *text);

/* Adds a new empty object, which belongs to "object", and returns it. */
extern JsonObject *json_add_object(JsonObject *object, const char *name);

/* The object as compact text, which the caller frees. */
extern char *json_write(JsonObject *object);

/* Of json-c, such as "0.16". */
extern const char *json_library_version(void);

#endif
