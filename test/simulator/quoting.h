/*
 * quoting.h: texts as JSON strings and as CSV values, appended to a buffer.
 */
#ifndef SIMULATOR_QUOTING_H
#define SIMULATOR_QUOTING_H

#include <json-c/printbuf.h>

/* Appends the text as it is. */
extern void append_text(struct printbuf *buffer, const char *text);

/* Appends a JSON string with its quotes, or null for NULL. */
extern void append_json(struct printbuf *buffer, const char *text);

/* Appends a CSV value; NULL becomes nothing, which COPY reads as NULL. */
extern void append_csv(struct printbuf *buffer, const char *text);

#endif
