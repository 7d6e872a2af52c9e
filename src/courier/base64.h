/*
 * base64.h: base64, as RFC 4648 has it in section 4.
 */
#ifndef COURIER_BASE64_H
#define COURIER_BASE64_H

/* The caller frees it, with forget_text() if it is secret. */
extern char *base64_encode(const char *text);

#endif
