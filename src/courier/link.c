/*
 * link.c: the stream to the worker; the only file that reads and writes it.
 */
#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "exit.h"

/* Some hundred calls of usual size. */
#define READ_SIZE (64 * 1024)

static FrameBuffer input;
static size_t input_used;		/* frames before this were handed out */
static FrameBuffer output;

static bool
is_temporary(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

bool
link_receive(void)
{
	ssize_t		count;

	require(frame_buffer_reserve(&input, READ_SIZE));
	count = recv(LINK_FD, input.data + input.length, READ_SIZE, MSG_DONTWAIT);
	if (count > 0)
		input.length += (size_t) count;
	return count > 0 || (count < 0 && is_temporary(errno));
}

/* Frames are discarded together: one move of memory for all of them. */
FrameStatus
link_next(Frame *frame)
{
	FrameStatus status = frame_next(input.data + input_used,
									input.length - input_used, frame);

	if (status == FRAME_COMPLETE)
		input_used += frame->total;
	else
	{
		frame_buffer_discard(&input, input_used);
		input_used = 0;
	}
	return status;
}

void
link_send_hello(const HelloMessage *message)
{
	require(message_put_hello(&output, message));
}

void
link_send_reply(const ReplyMessage *message)
{
	require(message_put_reply(&output, message));
}

bool
link_send_rendered(const RenderedMessage *message)
{
	return message_put_rendered(&output, message);
}

bool
link_flush(void)
{
	size_t		written = 0;
	ssize_t		count = 0;

	while (written < output.length && count >= 0)
	{
		count = send(LINK_FD, output.data + written, output.length - written,
					 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count > 0)
			written += (size_t) count;
	}
	if (count < 0 && !is_temporary(errno))
		return false;
	frame_buffer_discard(&output, written);
	return true;
}

bool
link_has_output(void)
{
	return output.length > 0;
}
