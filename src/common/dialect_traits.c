/*
 * dialect_traits.c: the rows of dialect_list.h, by number and by name.
 */
#include "dialect_traits.h"

#include <stddef.h>
#include <string.h>

const DialectTraits dialect_traits[DIALECT_COUNT] = {
#define DIALECT(id, ...) [DIALECT_##id] = {.name = #id, __VA_ARGS__},
#include "dialect_list.h"
#undef DIALECT
};

const DialectTraits *
dialect_traits_find(const char *name)
{
	for (int i = 0; i < DIALECT_COUNT; i++)
		if (strcmp(dialect_traits[i].name, name) == 0)
			return &dialect_traits[i];
	return NULL;
}
