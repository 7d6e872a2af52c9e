/*
 * frame.h: length-checked frames over a byte stream.
 *
 * A frame is: 4 bytes length of what follows (big endian), 1 byte kind, then
 * fields.  A field is: 1 byte tag, 4 bytes length (big endian), its bytes.
 * A text field carries its terminating NUL and no other; a number is 8 bytes.
 * So a reader can use text in place, and every length is checked before use.
 */
#ifndef REENGAGE_FRAME_H
#define REENGAGE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message of 64 kB, addresses and ids with room to spare. */
#define FRAME_MAX (1024 * 1024)
#define FRAME_HEADER 5

/* Bytes on their way out or in.  Zero-initialise; free with frame_buffer_free. */
typedef struct FrameBuffer
{
	uint8_t    *data;			/* malloc'ed, owned */
	size_t		length;			/* bytes in use */
	size_t		capacity;
	size_t		start;			/* where the frame being written begins */
	bool		failed;			/* out of memory, or a frame became too long */
} FrameBuffer;

/* One received frame; points into the buffer it was found in. */
typedef struct Frame
{
	uint8_t		kind;
	const uint8_t *fields;
	size_t		fields_length;
	size_t		total;			/* bytes to discard when done with it */
} Frame;

typedef enum FrameStatus
{
	FRAME_COMPLETE,
	FRAME_INCOMPLETE,			/* read more, then ask again */
	FRAME_MALFORMED				/* the stream cannot be trusted any more */
} FrameStatus;

extern void frame_begin(FrameBuffer *buffer, uint8_t kind);
extern void frame_put_text(FrameBuffer *buffer, uint8_t tag, const char *text);
extern void frame_put_number(FrameBuffer *buffer, uint8_t tag, int64_t number);

/* The bytes that such a field takes; a text that is NULL takes none. */
extern size_t frame_text_length(const char *text);
extern size_t frame_number_length(void);

/* Completes the frame.  On false nothing of it was appended. */
extern bool frame_end(FrameBuffer *buffer);

extern FrameStatus frame_next(const uint8_t *data, size_t length, Frame *frame);

/* A field by its tag; false when absent or of another shape. */
extern bool frame_get_text(const Frame *frame, uint8_t tag, const char **text);
extern bool frame_get_number(const Frame *frame, uint8_t tag, int64_t *number);

/* Makes room for at least "more" bytes after the used ones; false: no memory. */
extern bool frame_buffer_reserve(FrameBuffer *buffer, size_t more);

/* Drops the first "count" bytes: they were sent, or handled. */
extern void frame_buffer_discard(FrameBuffer *buffer, size_t count);

/* Overwrites what the buffer held (it may carry a secret) and frees it. */
extern void frame_buffer_free(FrameBuffer *buffer);

#endif
