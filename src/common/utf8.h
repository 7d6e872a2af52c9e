/*
 * utf8.h: whether bytes are UTF-8.
 */
#ifndef REENGAGE_UTF8_H
#define REENGAGE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True for well-formed UTF-8 (Unicode, table 3-7): no overlong forms, no
 * surrogates, nothing beyond U+10FFFF.  NUL is a character like others.
 */
extern bool utf8_is_valid(const char *text, size_t length);

#endif
