/*
 * received.h: what has arrived of a reply, as much of it as is worth keeping.
 */
#ifndef COURIER_RECEIVED_H
#define COURIER_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

/* Zeros are an empty one. */
typedef struct Received
{
	FrameBuffer headers;
	FrameBuffer body;
	size_t		header_bytes;	/* with those that are not kept */
	bool		headers_end;	/* the blank line behind them has come */
	bool		oversized;
	size_t		body_max;		/* 0: REPLY_USUAL_MAX */
} Received;

/* Replies of the APIs we know have a few kB; long conversations have megabytes. */
#define REPLY_USUAL_MAX (4 * 1024 * 1024)

/* All bodies that are on their way together: a reply that would not fit counts as too large. */
#define REPLIES_MAX (64 * 1024 * 1024)

/* Takes in a line of headers, or a piece of the body; false: it is too much. */
extern bool received_header(Received *received, const char *line, size_t size);
extern bool received_body(Received *received, const char *data, size_t size);

/*
 * True if the end of the connection was that of the body, which is JSON and
 * does not end like that: whoever cut it, the rest is missing.
 */
extern bool received_seems_cut(const Received *received);

/* What was kept; never NULL, so that nobody has to ask. */
extern const char *received_text(const FrameBuffer *buffer);

/* Makes it empty; its memory stays for the next reply, unless it is more than most need. */
extern void received_clear(Received *received);

extern void received_free(Received *received);

#endif
