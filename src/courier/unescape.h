/*
 * unescape.h: a text, read as it is and with its escapes taken off.
 *
 * Gateways escape what they quote, for a page, for JSON, for a URL, and the next
 * one does so once more.  Nobody says how; so a text is read in all the ways.
 */
#ifndef COURIER_UNESCAPE_H
#define COURIER_UNESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As it is, and behind three gateways that escape what they quote. */
#define READINGS 4

/* A character that is not ASCII. */
#define OTHER 0x80

/* A character of a reading, and the bytes of the text that it stands for. */
typedef struct Letter
{
	unsigned char c;			/* ASCII, or OTHER */
	uint32_t	from;
	uint32_t	to;				/* behind the last one */
} Letter;

typedef struct Unescaped
{
	Letter	   *letters;
	size_t		count;
} Unescaped;

typedef void (*Reader) (const Unescaped *reading, void *argument);

/* As it is; the caller frees the letters. */
extern Unescaped read_plainly(const char *text, size_t length);

/* Calls the reader for each way, of which there are at most READINGS. */
extern void read_each_way(const char *text, size_t length, Reader reader, void *argument);

/* Else there is but one way to read it. */
extern bool may_be_escaped(const char *text, size_t length);

/* Marks the bytes of the text that these letters stand for, both included. */
extern void mark_letters(const Unescaped *reading, size_t first, size_t last, bool *marks);

static inline bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alnum(unsigned char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What belongs to a word: letters, digits, and all that is not ASCII. */
static inline bool
is_in_word(unsigned char c)
{
	return c == OTHER || is_alnum(c);
}

#endif
