/*
 * http_certificate.h: what a server proved itself with.
 */
#ifndef COURIER_HTTP_CERTIFICATE_H
#define COURIER_HTTP_CERTIFICATE_H

#include <curl/curl.h>

#include "exchange.h"

/* Before the transfer: keep the certificates, and shake hands anew to see them. */
extern void certificate_watch(CURL *easy);

/* After it: the server's own; without TLS, or unwatched, nothing is filled in. */
extern void certificate_read(CURL *easy, HttpCertificate *certificate);

#endif
