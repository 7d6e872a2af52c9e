/*
 * memory.h: allocation that cannot fail, and forgetting what is secret.
 *
 * Without memory the courier ends, which the worker survives like any other
 * end of it.  So no caller has to test for NULL.
 */
#ifndef COURIER_MEMORY_H
#define COURIER_MEMORY_H

#include <stddef.h>

/* Zeroed; the caller frees it. */
extern void *allocate(size_t size);

/* A copy that the caller frees; NULL for NULL. */
extern char *copy_text(const char *text);

/* These texts as one, up to a NULL, in memory of exactly the right size, which the caller frees. */
extern char *join_texts(const char *first,...)
			__attribute__((sentinel));

/* Overwrites and frees a text that is, or may contain, a secret. */
extern void forget_text(char *text);

#endif
