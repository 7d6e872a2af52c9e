/*
 * courier_http_target_test.c: which network addresses a request may lead to.
 */
#include "http_target.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tap.h"

typedef struct TargetCase
{
	const char *url;
	const char *proxy;
	const char *private_hosts;
	const char *permitted;		/* of "p" public, "o" the organisation's, "l" loopback, "m" metadata */
} TargetCase;

static const TargetCase cases[] = {
	{"https://api.example.com/x", NULL, NULL, "p"},
	{"https://api.example.com/x", NULL, "api.example.com", "po"},
	{"https://API.example.com:8443/x", NULL, "login.example.com,Api.Example.Com", "po"},
	{"https://api.example.com/x", NULL, "example.com,api.example.com.evil,api.example", "p"},
	{"https://api.example.com/x", NULL, ",", "p"},
	{"http://api.example.com/x", NULL, "api.example.com", "p"},
	{"https://127.0.0.1/x", NULL, NULL, "polm"},
	{"https://[::1]/x", NULL, NULL, "polm"},
	{"https://10.1.2.3/x", NULL, NULL, "polm"},
	{"https://api.example.com/x", "http://10.1.2.3:3128", NULL, "polm"},
};

static bool
permits(const HttpTarget *target, const char *text)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		return http_target_permits(target, (struct sockaddr *) &ipv4);
	inet_pton(AF_INET6, text, &ipv6.sin6_addr);
	return http_target_permits(target, (struct sockaddr *) &ipv6);
}

/* One target that reads them all knows of each what one of its own would. */
static void
test_one_after_the_other(void)
{
	static const struct
	{
		const char *url;
		const char *read;		/* as libcurl has it; NULL: it does not */
		bool		loopback;	/* may it lead there? */
	}			urls[] = {
		{"https://api.example.com/a/b", "https://api.example.com/a/b", false},
		{"https://api.example.com/a/c-d.e_f~g", "https://api.example.com/a/c-d.e_f~g", false},
		{"https://api.example.com/a/../c", "https://api.example.com/c", false},
		{"https://api.example.com/a?b", "https://api.example.com/a?b", false},
		{"https://api.example.com/d", "https://api.example.com/d", false},
		{"https://api.example.com", "https://api.example.com/", false},
		{"https://api.example.com.evil/d", "https://api.example.com.evil/d", false},
		{"https://api.example.com@127.0.0.1/d", NULL, false},
		{"https://api.example.com/d", "https://api.example.com/d", false},
		{"https://127.0.0.1/d", "https://127.0.0.1/d", true},
		{"https://127.0.0.1:8443/d", "https://127.0.0.1:8443/d", true},
		{"https://127.0.0.1:8443/e", "https://127.0.0.1:8443/e", true},
		{"https://127.0.0.1.example.com/e", "https://127.0.0.1.example.com/e", false},
	};
	ServerMessage server = {.name = "api"};
	HttpRoute	route = {.server = &server};
	HttpTarget	target = {0};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		char	   *read = NULL;

		http_target_read(&target, urls[i].url, &route);
		if (target.url != NULL)
			curl_url_get(target.url, CURLUPART_URL, &read, 0);
		ok(urls[i].read != NULL ? read != NULL && strcmp(read, urls[i].read) == 0 : read == NULL,
		   "%s, read after others", urls[i].url);
		ok(permits(&target, "127.0.0.1") == urls[i].loopback, "it leads where it would alone");
		curl_free(read);
	}
	http_target_forget(&target);
}

int
main(void)
{
	static const char *const addresses[][2] = {
		{"p", "52.1.2.3"}, {"p", "2600:1f18::1"}, {"o", "10.9.8.7"}, {"o", "172.20.0.1"}, {"o", "192.168.1.1"},
		{"o", "fd12:3456::1"}, {"o", "::ffff:10.9.8.7"}, {"l", "127.0.0.1"}, {"l", "::1"}, {"l", "0.0.0.0"},
		{"m", "169.254.169.254"}, {"m", "fe80::1"}, {"m", "100.100.100.200"}, {"m", "224.0.0.1"},
		{"m", "::ffff:169.254.169.254"}, {"m", "64:ff9b::10.0.0.1"}, {"m", "ff02::1"}, {"m", "172.32.0.1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		ServerMessage server = {.proxy = cases[i].proxy, .private_hosts = cases[i].private_hosts};
		HttpRoute	route = {.server = &server};
		HttpTarget	target = {0};

		http_target_read(&target, cases[i].url, &route);
		for (size_t a = 0; a < sizeof(addresses) / sizeof(addresses[0]); a++)
		{
			/* the one that is none of ours is somebody else's, and public */
			bool		wanted = strchr(cases[i].permitted, addresses[a][0][0]) != NULL ||
				strcmp(addresses[a][1], "172.32.0.1") == 0;

			ok(permits(&target, addresses[a][1]) == wanted, "%s, through %s, allowed %s: %s",
			   cases[i].url, cases[i].proxy != NULL ? cases[i].proxy : "nothing",
			   cases[i].private_hosts != NULL ? cases[i].private_hosts : "none", addresses[a][1]);
		}
		http_target_forget(&target);
	}
	test_one_after_the_other();
	return done_testing();
}
