/*
 * base64.h: base64, as RFC 4648 has it in section 4.
 */
#ifndef COURIER_BASE64_H
#define COURIER_BASE64_H

#include <stddef.h>

/* What three bytes become, or the one or two that are left. */
#define BASE64_GROUP 4
extern void base64_group(char *to, const char *text, size_t length);

/* The caller frees it, with forget_text() if it is secret. */
extern char *base64_encode(const char *text);

#endif
