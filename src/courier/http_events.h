/*
 * http_events.h: which of libcurl's sockets have something for it, and when it
 * wants to be called anyway.
 *
 * To ask all sockets and all transfers at each turn costs as much as there are
 * of them.  Where the system has epoll only those are looked at that have
 * something.
 */
#ifndef COURIER_HTTP_EVENTS_H
#define COURIER_HTTP_EVENTS_H

#include <stdbool.h>

#include <curl/curl.h>

extern void events_start(CURLM *multi);

/* A socket was made for libcurl, or is about to be closed. */
extern void events_opened(int fd);
extern void events_closed(int fd);

/*
 * What is sent on it from now on leaves when libcurl is through with its transfer, or
 * at the end of events_run(): a head and its body together.
 */
extern void events_join(int fd);

/* Lets libcurl work on what is ready. */
extern void events_run(CURLM *multi);

/*
 * Waits for something to do: for libcurl, on "fd" (input, and room for output if
 * "or_output"), or because "timeout_ms" have passed.
 */
extern void events_wait(CURLM *multi, int fd, bool or_output, int timeout_ms);

#endif
