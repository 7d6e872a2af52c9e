/*
 * dialect.c: the dialects by name.
 */
#include "dialect.h"

#include <string.h>

static const Dialect *const dialects[] = {
	&dialect_messaging,
	&dialect_genesys_cloud,
};

const Dialect *
dialect_find(const char *name)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}
