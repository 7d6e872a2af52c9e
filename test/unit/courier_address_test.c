/*
 * courier_address_test.c: names must not lead inside of our own network.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tap.h"

typedef struct AddressCase
{
	const char *address;
	bool		is_public;
} AddressCase;

static const AddressCase cases[] = {
	{"8.8.8.8", true}, {"52.1.2.3", true}, {"172.15.0.1", true}, {"172.32.0.1", true},
	{"100.63.0.1", true}, {"192.0.1.1", true}, {"223.255.255.255", true},
	{"0.0.0.0", false}, {"10.1.2.3", false}, {"100.64.0.1", false},
	{"100.100.100.200", false}, {"127.0.0.1", false}, {"127.8.8.8", false},
	{"169.254.169.254", false}, {"172.16.0.1", false}, {"172.31.255.255", false},
	{"192.0.0.192", false}, {"192.168.1.1", false}, {"198.18.0.1", false},
	{"224.0.0.1", false}, {"255.255.255.255", false},
	{"2600:1f18::1", true}, {"2a00:1450::1", true}, {"2001:4860::8888", true},
	{"::", false}, {"::1", false}, {"fe80::1", false}, {"fc00::1", false},
	{"fd00:ec2::254", false}, {"ff02::1", false}, {"2001:db8::1", false},
	{"2002:7f00:1::", false}, {"2001::1", false}, {"::127.0.0.1", false},
	{"::ffff:127.0.0.1", false}, {"::ffff:8.8.8.8", true},
	{"64:ff9b::10.0.0.1", false}, {"64:ff9b::8.8.8.8", true}, {"64:ff9b:1::8.8.8.8", false},
};

static bool
is_public(const char *text)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		return address_is_public((struct sockaddr *) &ipv4);
	ok(inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1, "%s is an address", text);
	return address_is_public((struct sockaddr *) &ipv6);
}

int
main(void)
{
	struct sockaddr local = {.sa_family = AF_UNIX};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(is_public(cases[i].address) == cases[i].is_public, "%s is %s",
		   cases[i].address, cases[i].is_public ? "public" : "not public");
	ok(!address_is_public(&local), "nor is a socket in the file system");

	ok(host_names_an_address("127.0.0.1"), "an IPv4 address");
	ok(host_names_an_address("[::1]"), "an IPv6 address");
	ok(host_names_an_address("LocalHost"), "localhost");
	ok(!host_names_an_address("localhost.example.com"), "a name");
	ok(!host_names_an_address("10.0.0.1.example.com"), "a name that begins with numbers");
	return done_testing();
}
