/*
 * address.c: which network addresses a host name may lead to.
 *
 * The ranges are those that IANA's registries of special-purpose addresses do
 * not call globally reachable, and the IPv6 forms that wrap an IPv4 address.
 */
#define _GNU_SOURCE
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

typedef struct Ipv4Range
{
	uint32_t	network;
	int			bits;
} Ipv4Range;

static const Ipv4Range special_ipv4[] = {
	{0x00000000, 8},			/* 0.0.0.0: this host */
	{0x0A000000, 8},			/* 10.0.0.0: private */
	{0x64400000, 10},			/* 100.64.0.0: carrier NAT, cloud metadata */
	{0x7F000000, 8},			/* 127.0.0.0: loopback */
	{0xA9FE0000, 16},			/* 169.254.0.0: link-local, cloud metadata */
	{0xAC100000, 12},			/* 172.16.0.0: private */
	{0xC0000000, 24},			/* 192.0.0.0: protocol assignments */
	{0xC0A80000, 16},			/* 192.168.0.0: private */
	{0xC6120000, 15},			/* 198.18.0.0: benchmarks */
	{0xE0000000, 3},			/* 224.0.0.0: multicast, reserved, broadcast */
};

typedef struct Ipv6Range
{
	uint8_t		network[4];
	int			bits;
} Ipv6Range;

/* Only 2000::/3 is global unicast; these are the exceptions inside of it. */
static const Ipv6Range special_ipv6[] = {
	{{0x20, 0x01, 0x00, 0x00}, 23},	/* 2001::/23: protocol assignments, Teredo */
	{{0x20, 0x01, 0x0D, 0xB8}, 32},	/* 2001:db8::/32: documentation */
	{{0x20, 0x02, 0x00, 0x00}, 16},	/* 2002::/16: 6to4 wraps any IPv4 address */
};

static bool
starts_with_bits(uint32_t address, uint32_t network, int bits)
{
	return (address ^ network) >> (32 - bits) == 0;
}

static uint32_t
first_bits(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 |
		(uint32_t) bytes[2] << 8 | bytes[3];
}

static bool
ipv4_is_public(uint32_t address)
{
	for (size_t i = 0; i < sizeof(special_ipv4) / sizeof(special_ipv4[0]); i++)
		if (starts_with_bits(address, special_ipv4[i].network, special_ipv4[i].bits))
			return false;
	return true;
}

/* ::ffff:0:0/96, the same host spoken to as IPv6, and 64:ff9b::/96, NAT64. */
static bool
ipv6_wraps_ipv4(const struct in6_addr *address)
{
	static const uint8_t nat64[12] = {0x00, 0x64, 0xFF, 0x9B};

	return IN6_IS_ADDR_V4MAPPED(address) ||
		memcmp(address->s6_addr, nat64, sizeof(nat64)) == 0;
}

static bool
ipv6_is_public(const struct in6_addr *address)
{
	uint32_t	first = first_bits(address->s6_addr);

	if (ipv6_wraps_ipv4(address))
		return ipv4_is_public(first_bits(address->s6_addr + 12));
	if (!starts_with_bits(first, 0x20000000, 3))
		return false;
	for (size_t i = 0; i < sizeof(special_ipv6) / sizeof(special_ipv6[0]); i++)
		if (starts_with_bits(first, first_bits(special_ipv6[i].network), special_ipv6[i].bits))
			return false;
	return true;
}

bool
address_is_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ipv4_is_public(ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return ipv6_is_public(&((const struct sockaddr_in6 *) address)->sin6_addr);
	return false;
}

static bool
ipv4_is_private(uint32_t address)
{
	return starts_with_bits(address, 0x0A000000, 8) || starts_with_bits(address, 0xAC100000, 12) ||
		starts_with_bits(address, 0xC0A80000, 16);
}

bool
address_is_private(const struct sockaddr *address)
{
	const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *) address)->sin6_addr;

	if (address->sa_family == AF_INET)
		return ipv4_is_private(ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr));
	if (address->sa_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(ipv6))
		return ipv4_is_private(first_bits(ipv6->s6_addr + 12));
	return (ipv6->s6_addr[0] & 0xFE) == 0xFC;
}

bool
host_names_an_address(const char *host)
{
	struct in_addr ipv4;

	return host[0] == '[' || strchr(host, ':') != NULL ||
		strcasecmp(host, "localhost") == 0 ||
		inet_pton(AF_INET, host, &ipv4) == 1;
}
