/*
 * address.h: which network addresses a host name may lead to.
 *
 * A name in a public API's URL that resolves to the inside of our own network,
 * or to a cloud's metadata service, is an attack or a mistake.
 */
#ifndef COURIER_ADDRESS_H
#define COURIER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* False for loopback, private, link-local, metadata and other special ranges. */
extern bool address_is_public(const struct sockaddr *address);

/*
 * True for those that organisations give to their own machines: 10.0.0.0/8,
 * 172.16.0.0/12, 192.168.0.0/16 and fc00::/7.  Not for link-local and shared
 * ones, where the metadata services of clouds are, nor for loopback.
 */
extern bool address_is_private(const struct sockaddr *address);

/* True for "localhost" and for addresses in numbers, with or without brackets. */
extern bool host_names_an_address(const char *host);

#endif
