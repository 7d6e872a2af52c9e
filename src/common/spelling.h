/*
 * spelling.h: the characters that people and programs put into addresses.
 *
 * Text is UTF-8; whatever is not is read byte by byte.
 */
#ifndef REENGAGE_SPELLING_H
#define REENGAGE_SPELLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a text, which it does not own. */
typedef struct Span
{
	const char *start;
	size_t		length;
} Span;

/* The character at "*at", which moves on; a byte that begins none stands for itself. */
extern uint32_t next_character(const char **at);

/* What is not seen: soft hyphen, zero widths, marks and isolates of direction; and blanks, too. */
extern bool is_unseen(uint32_t character);
extern bool is_blank(uint32_t character);

/* ( ) - . / and their like, as libphonenumber accepts them between digits. */
extern bool is_punctuation(uint32_t character);
extern bool is_opening(uint32_t character);

/* Put before a number so that a spreadsheet takes it for text. */
extern bool is_apostrophe(uint32_t character);
extern bool is_plus(uint32_t character);

/* 0 to 9, or -1: also of Arabic, Persian, Devanagari and full-width script. */
extern int	digit_of(uint32_t character);

/* Without blanks around it. */
extern Span trimmed(const char *text);

/* Letters of ASCII only, whatever the locale: in Turkish "I" is no capital of "i". */
extern char small_letter(char letter);

/* Without regard to case (ASCII). */
extern bool span_is(Span span, const char *word);
extern bool span_begins_with(Span span, const char *start);
extern bool span_ends_with(Span span, const char *end);

/* The ASCII digits from there on. */
extern size_t digits_at(Span span, size_t from);

#endif
