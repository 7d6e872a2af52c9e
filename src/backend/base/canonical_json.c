/*
 * canonical_json.c: the leaves of a jsonb, one a line: where it is, as a JSON
 * pointer, "=", and its value.
 *
 * So the order of keys, spaces and the spelling of numbers, which roads to other
 * systems change, mean nothing.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "base/canonical.h"

/* A container that the reading is in. */
typedef struct Level
{
	int			path_length;	/* of its own path */
	int			elements;		/* so far */
	bool		is_array;
	bool		is_scalar;		/* it is none: a value alone is kept as an array of it */
} Level;

typedef struct Line
{
	int			start;			/* in "text" */
	int			length;
} Line;

typedef struct Leaves
{
	StringInfoData path;
	StringInfoData text;		/* the lines, as they were read */
	Level	   *levels;
	int			depth;
	int			levels_size;
	Line	   *lines;
	int			count;
	int			lines_size;
} Leaves;

#define INITIAL_SIZE 16

static void
append_masked(StringInfo text, const JsonbValue *string, bool is_key)
{
	int			length = string->val.string.len;
	const char *bytes = canonical_bytes(string->val.string.val, &length);

	for (int i = 0; i < length; i++)
		switch (bytes[i])
		{
			case '\\':
				appendStringInfoString(text, "\\\\");
				break;
			case '\n':
				appendStringInfoString(text, "\\n");
				break;
			case '~':
				appendStringInfoString(text, is_key ? "~0" : "~");
				break;
			case '/':
				appendStringInfoString(text, is_key ? "~1" : "/");
				break;
			case '=':
				/* which no JSON pointer has to write so, but a line has to end it */
				appendStringInfoString(text, is_key ? "~2" : "=");
				break;
			default:
				appendStringInfoCharMacro(text, bytes[i]);
		}
}

/* What is too great is infinite, and what is too small is nothing, without a sign. */
static void
append_number(StringInfo text, Numeric number)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	double		value = strtod(digits, NULL);

	pfree(digits);
	if (isinf(value))
		appendStringInfoString(text, value > 0 ? "dinf" : "d-inf");
	else
		appendStringInfo(text, "d%.16e", value == 0 ? 0.0 : value);
}

static void
append_scalar(StringInfo text, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			appendStringInfoChar(text, 's');
			append_masked(text, value, false);
			break;
		case jbvNumeric:
			append_number(text, value->val.numeric);
			break;
		case jbvBool:
			appendStringInfoString(text, value->val.boolean ? "true" : "false");
			break;
		default:
			appendStringInfoString(text, "null");
	}
}

/* Begins the line of what is at the path. */
static void
begin_line(Leaves *leaves)
{
	if (leaves->count == leaves->lines_size)
	{
		leaves->lines_size *= 2;
		leaves->lines = repalloc(leaves->lines, leaves->lines_size * sizeof(Line));
	}
	leaves->lines[leaves->count++].start = leaves->text.len;
	appendBinaryStringInfo(&leaves->text, leaves->path.data, leaves->path.len);
	appendStringInfoChar(&leaves->text, '=');
}

static void
end_line(Leaves *leaves)
{
	Line	   *line = &leaves->lines[leaves->count - 1];

	line->length = leaves->text.len - line->start;
}

static Level *
innermost_level(Leaves *leaves)
{
	return leaves->depth > 0 ? &leaves->levels[leaves->depth - 1] : NULL;
}

static void
cut_path(Leaves *leaves, int length)
{
	leaves->path.len = length;
	leaves->path.data[length] = '\0';
}

static void
step_to_key(Leaves *leaves, const JsonbValue *key)
{
	Level	   *level = innermost_level(leaves);

	cut_path(leaves, level->path_length);
	level->elements++;
	appendStringInfoChar(&leaves->path, '/');
	append_masked(&leaves->path, key, true);
}

/* To the next element, where the innermost container is an array. */
static void
step_to_element(Leaves *leaves)
{
	Level	   *level = innermost_level(leaves);

	if (level == NULL || !level->is_array || level->is_scalar)
		return;
	cut_path(leaves, level->path_length);
	appendStringInfo(&leaves->path, "/%d", level->elements++);
}

static void
enter_container(Leaves *leaves, bool is_array, bool is_scalar)
{
	if (leaves->depth == leaves->levels_size)
	{
		leaves->levels_size *= 2;
		leaves->levels = repalloc(leaves->levels, leaves->levels_size * sizeof(Level));
	}
	leaves->levels[leaves->depth++] = (Level) {leaves->path.len, 0, is_array, is_scalar};
}

/* One that has nothing in it is a leaf. */
static void
leave_container(Leaves *leaves)
{
	Level	   *level = innermost_level(leaves);

	if (level->elements == 0 && !level->is_scalar)
	{
		begin_line(leaves);
		appendStringInfoString(&leaves->text, level->is_array ? "[]" : "{}");
		end_line(leaves);
	}
	leaves->depth--;
}

static void
add_leaf(Leaves *leaves, const JsonbValue *value)
{
	begin_line(leaves);
	append_scalar(&leaves->text, value);
	end_line(leaves);
}

static void
read_leaves(Leaves *leaves, Jsonb *value)
{
	JsonbIterator *iterator = JsonbIteratorInit(&value->root);
	JsonbValue	token;
	JsonbIteratorToken kind;

	while ((kind = JsonbIteratorNext(&iterator, &token, false)) != WJB_DONE)
		switch (kind)
		{
			case WJB_BEGIN_ARRAY:
				step_to_element(leaves);
				enter_container(leaves, true, token.val.array.rawScalar);
				break;
			case WJB_BEGIN_OBJECT:
				step_to_element(leaves);
				enter_container(leaves, false, false);
				break;
			case WJB_KEY:
				step_to_key(leaves, &token);
				break;
			case WJB_ELEM:
				step_to_element(leaves);
				add_leaf(leaves, &token);
				break;
			case WJB_VALUE:
				add_leaf(leaves, &token);
				break;
			default:
				leave_container(leaves);
		}
}

static int
compare_lines(const void *a, const void *b, void *text)
{
	const Line *one = a;
	const Line *other = b;
	const char *bytes = ((StringInfo) text)->data;
	int			order = memcmp(bytes + one->start, bytes + other->start, Min(one->length, other->length));

	return order != 0 ? order : one->length - other->length;
}

void
append_canonical_json(StringInfo text, Jsonb *value)
{
	Leaves		leaves = {.levels_size = INITIAL_SIZE, .lines_size = INITIAL_SIZE};

	initStringInfo(&leaves.path);
	initStringInfo(&leaves.text);
	leaves.levels = palloc(INITIAL_SIZE * sizeof(Level));
	leaves.lines = palloc(INITIAL_SIZE * sizeof(Line));
	read_leaves(&leaves, value);
	qsort_arg(leaves.lines, leaves.count, sizeof(Line), compare_lines, &leaves.text);
	for (int i = 0; i < leaves.count; i++)
	{
		if (i > 0)
			appendStringInfoChar(text, '\n');
		appendBinaryStringInfo(text, leaves.text.data + leaves.lines[i].start, leaves.lines[i].length);
	}
	pfree(leaves.path.data);
	pfree(leaves.text.data);
	pfree(leaves.levels);
	pfree(leaves.lines);
}
