/*
 * dialect.c: the dialects by name.
 */
#include "dialect.h"

#include <stddef.h>

#include "dialect_traits.h"

static const Dialect *const dialects[DIALECT_COUNT] = {
#define DIALECT(name, ...) [DIALECT_##name] = &dialect_##name,
#include "dialect_list.h"
#undef DIALECT
};

const Dialect *
dialect_find(const char *name)
{
	const DialectTraits *traits = dialect_traits_find(name);

	return traits != NULL ? dialects[traits - dialect_traits] : NULL;
}
