/*
 * memory.c: allocation that cannot fail, and forgetting what is secret.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
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
format_text(const char *format,...)
{
	va_list		arguments;
	int			length;
	char	   *text;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	require(length >= 0);

	text = allocate((size_t) length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t) length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void
forget_text(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}
