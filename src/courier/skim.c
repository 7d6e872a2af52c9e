/*
 * skim.c: a long JSON text without what nobody reads.
 *
 * A conversation of a few megabytes would become a tree of a hundred, and one
 * that was made to do so, of empty objects, of a thousand.  So the text is gone
 * through once, without a tree, and the members that no dialect asks for are
 * left out; what is kept is counted by what json-c will take for it.
 */
#include "skim.h"

#include <string.h>

#define DEPTH_MAX 16

/* Of 64 bytes: what json-c takes for a value, and for an object with its table. */
#define COST_OF_VALUE 1
#define COST_OF_OBJECT 13
#define COST_MAX (512 * 1024)

typedef struct Skim
{
	const char *at;
	const char *end;
	const char *const *wanted;
	FrameBuffer *kept;
	int			cost;
} Skim;

static bool skim_value(Skim *skim, int depth, bool keep);

static bool
put_bytes(Skim *skim, const char *from, size_t length, bool keep)
{
	if (!keep)
		return true;
	if (!frame_buffer_reserve(skim->kept, length))
		return false;
	memcpy(skim->kept->data + skim->kept->length, from, length);
	skim->kept->length += length;
	return true;
}

static bool
pay_room(Skim *skim, int cost, bool keep)
{
	if (keep)
		skim->cost += cost;
	return skim->cost <= COST_MAX;
}

/* The next byte that is no blank; NUL: there is none. */
static char
next_byte(Skim *skim)
{
	while (skim->at < skim->end && memchr(" \t\r\n", *skim->at, 4) != NULL)
		skim->at++;
	return skim->at < skim->end ? *skim->at : '\0';
}

/* Takes that byte. */
static bool
take_byte(Skim *skim, char wanted)
{
	bool		found = next_byte(skim) == wanted && skim->at < skim->end;

	skim->at += found;
	return found;
}

/* Goes behind a string. */
static bool
pass_string(Skim *skim)
{
	if (!take_byte(skim, '"'))
		return false;
	for (; skim->at < skim->end && *skim->at != '"'; skim->at++)
	{
		if ((unsigned char) *skim->at < ' ')
			return false;
		skim->at += *skim->at == '\\';
	}
	return take_byte(skim, '"');
}

static bool
pass_word(Skim *skim, const char *word)
{
	size_t		length = strlen(word);

	if ((size_t) (skim->end - skim->at) < length || memcmp(skim->at, word, length) != 0)
		return false;
	skim->at += length;
	return true;
}

/* What is kept of it json-c reads more closely. */
static bool
pass_scalar(Skim *skim)
{
	const char *start;

	if (next_byte(skim) == '"')
		return pass_string(skim);
	if (pass_word(skim, "true") || pass_word(skim, "false") || pass_word(skim, "null"))
		return true;
	start = skim->at;
	while (skim->at < skim->end && *skim->at != '\0' && strchr("+-.eE0123456789", *skim->at) != NULL)
		skim->at++;
	return skim->at > start && strchr("-0123456789", *start) != NULL;
}

static bool
skim_scalar(Skim *skim, bool keep)
{
	const char *start;

	(void) next_byte(skim);
	start = skim->at;
	return pass_scalar(skim) && pay_room(skim, COST_OF_VALUE, keep) &&
		put_bytes(skim, start, skim->at - start, keep);
}

/* A name that is spelled with escapes is not wanted. */
static bool
is_wanted(const Skim *skim, const char *name, size_t length)
{
	for (const char *const *wanted = skim->wanted; *wanted != NULL; wanted++)
		if (strlen(*wanted) == length && memcmp(*wanted, name, length) == 0)
			return true;
	return false;
}

static bool
skim_member(Skim *skim, int depth, bool keep, bool *first)
{
	const char *name;
	size_t		length;

	(void) next_byte(skim);
	name = skim->at;
	if (!pass_string(skim))
		return false;
	length = skim->at - name;
	keep = keep && is_wanted(skim, name + 1, length - 2);
	if (!take_byte(skim, ':') || !put_bytes(skim, ",", 1, keep && !*first) ||
		!put_bytes(skim, name, length, keep) || !put_bytes(skim, ":", 1, keep))
		return false;
	*first = *first && !keep;
	return skim_value(skim, depth, keep);
}

static bool
skim_element(Skim *skim, int depth, bool keep, bool *first)
{
	bool		good = put_bytes(skim, ",", 1, keep && !*first) && skim_value(skim, depth, keep);

	*first = false;
	return good;
}

/* From one bracket to the other. */
static bool
skim_container(Skim *skim, int depth, bool keep, char open, char close)
{
	bool		first = true;

	if (!take_byte(skim, open) || depth >= DEPTH_MAX || !put_bytes(skim, &open, 1, keep) ||
		!pay_room(skim, open == '{' ? COST_OF_OBJECT : COST_OF_VALUE, keep))
		return false;
	if (!take_byte(skim, close))
	{
		do
		{
			if (!(open == '{' ? skim_member : skim_element) (skim, depth + 1, keep, &first))
				return false;
		} while (take_byte(skim, ','));
		if (!take_byte(skim, close))
			return false;
	}
	return put_bytes(skim, &close, 1, keep);
}

static bool
skim_value(Skim *skim, int depth, bool keep)
{
	switch (next_byte(skim))
	{
		case '{':
			return skim_container(skim, depth, keep, '{', '}');
		case '[':
			return skim_container(skim, depth, keep, '[', ']');
		default:
			return skim_scalar(skim, keep);
	}
}

bool
skim(const char *text, size_t length, const char *const *wanted, FrameBuffer *kept)
{
	Skim		skim = {.at = text, .end = text + length, .wanted = wanted, .kept = kept};

	return skim_container(&skim, 0, true, '{', '}') && next_byte(&skim) == '\0' && skim.at == skim.end;
}
