/*
 * link.h: the stream to the worker.
 *
 * Messages are put into a buffer and go out when the worker takes them, so
 * that a busy worker never holds up the network.
 */
#ifndef COURIER_LINK_H
#define COURIER_LINK_H

#include <stdbool.h>

#include "frame.h"
#include "message.h"

/* Where the worker put our end of the socketpair. */
#define LINK_FD 0

/* Reads what has arrived.  False: the worker is gone. */
extern bool link_receive(void);

/* The next frame, valid until the next call of a link function. */
extern FrameStatus link_next(Frame *frame);

extern void link_send_hello(const HelloMessage *message);
extern void link_send_reply(const ReplyMessage *message);

/* False: the request is too long to be shown. */
extern bool link_send_rendered(const RenderedMessage *message);

/* Writes what the worker takes now.  False: the worker is gone. */
extern bool link_flush(void);

/* True while something waits to be written. */
extern bool link_has_output(void);

#endif
