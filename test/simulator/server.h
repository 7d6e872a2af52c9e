/*
 * server.h: the event loop that serves the simulated API.
 */
#ifndef SIMULATOR_SERVER_H
#define SIMULATOR_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Listens on 127.0.0.1; returns the port without TLS, or 0 with a message on stderr. */
extern uint16_t server_start(uint16_t port);

/* That of the listener with TLS; 0: there is none. */
extern uint16_t server_tls_port(void);

/* Serves until the descriptor becomes readable. */
extern void server_run(int stop_descriptor);

/* Closes all connections and frees what they hold. */
extern void server_stop(void);

/* How many connections are open, the asking one included. */
extern size_t server_open_connections(void);

#endif
