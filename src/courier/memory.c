/*
 * memory.c: allocation that cannot fail, and forgetting what is secret.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"

void *
allocate(size_t size)
{
	void	   *memory = calloc(1, size);

	require(memory != NULL);
	return memory;
}

char *
copy_text(const char *text)
{
	size_t		size;

	if (text == NULL)
		return NULL;
	size = strlen(text) + 1;
	return memcpy(allocate(size), text, size);
}

/* Measured first: growing on the way would leave copies of secrets behind. */
char *
join_texts(const char *first,...)
{
	va_list		others;
	size_t		length = 0;
	char	   *joined;
	char	   *to;

	va_start(others, first);
	for (const char *text = first; text != NULL; text = va_arg(others, const char *))
		length += strlen(text);
	va_end(others);

	joined = to = allocate(length + 1);
	va_start(others, first);
	for (const char *text = first; text != NULL; text = va_arg(others, const char *))
		to = stpcpy(to, text);
	va_end(others);
	return joined;
}

void
forget_text(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}
