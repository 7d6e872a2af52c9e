/*
 * kept_text.h: text that stays known until it is another one.
 */
#ifndef REENGAGE_KEPT_TEXT_H
#define REENGAGE_KEPT_TEXT_H

#include "postgres.h"

/* A copy of the text, or NULL, takes the place of what was there, which is freed. */
extern void keep_text(MemoryContext context, char **kept, const char *text);

/* Either may be NULL. */
extern bool texts_differ(const char *a, const char *b);

#endif
