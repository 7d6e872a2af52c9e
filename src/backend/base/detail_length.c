/*
 * detail_length.c: counting what JsonbToCString() would write.
 *
 * Numbers are kept as digits and an exponent: 1e131071 takes 12 bytes, and 131
 * kB as text.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "base/detail_length.h"

/* As escape_json() writes it, with the quotes. */
static Size
string_length(const char *text, int length)
{
	Size		result = length + 2;

	for (const char *byte = text; byte < text + length; byte++)
	{
		if (strchr("\b\f\n\r\t\"\\", *byte) != NULL && *byte != '\0')
			result += 1;
		else if ((unsigned char) *byte < ' ')
			result += strlen("u0000");
	}
	return result;
}

static Size
number_length(Numeric number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	Size		result = strlen(text);

	/* each may have a hundred kB */
	pfree(text);
	return result;
}

static Size
scalar_length(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return string_length(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return number_length(value->val.numeric);
		case jbvBool:
			return value->val.boolean ? strlen("true") : strlen("false");
		default:
			return strlen("null");
	}
}

Size
detail_text_length(Jsonb *value, Size most)
{
	JsonbIterator *iterator = JsonbIteratorInit(&value->root);
	JsonbValue	token;
	JsonbIteratorToken kind;
	Size		length = 0;
	bool		follows = false;	/* another one of the same container */

	while (length <= most && (kind = JsonbIteratorNext(&iterator, &token, false)) != WJB_DONE)
	{
		/* ", " before all but the first; a value stands behind its key */
		if (follows && (kind == WJB_KEY || kind == WJB_ELEM || kind == WJB_BEGIN_ARRAY || kind == WJB_BEGIN_OBJECT))
			length += strlen(", ");
		switch (kind)
		{
			case WJB_KEY:
				length += scalar_length(&token) + strlen(": ");
				follows = false;
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				length += scalar_length(&token);
				follows = true;
				break;
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				/* a value alone is kept as an array that shows no brackets */
				length += kind == WJB_BEGIN_ARRAY && token.val.array.rawScalar ? 0 : strlen("[]");
				follows = false;
				break;
			default:
				follows = true;
				break;
		}
	}
	return length;
}
