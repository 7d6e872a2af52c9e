/*
 * delivery.h: handing an answer to libmicrohttpd.
 */
#ifndef SIMULATOR_DELIVERY_H
#define SIMULATOR_DELIVERY_H

#include "exchange.h"

/* Sends the answer as its delivery says; MHD_NO closes the connection without a byte. */
extern enum MHD_Result deliver(Connection *connection);

#endif
