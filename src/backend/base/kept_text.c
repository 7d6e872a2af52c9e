/*
 * kept_text.c: see kept_text.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/kept_text.h"

void
keep_text(MemoryContext context, char **kept, const char *text)
{
	char	   *copy = text ? MemoryContextStrdup(context, text) : NULL;

	if (*kept != NULL)
		pfree(*kept);
	*kept = copy;
}

bool
texts_differ(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}
