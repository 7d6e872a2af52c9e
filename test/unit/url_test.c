/*
 * url_test.c: which base URLs are taken, and which hosts are loopback.
 */
#include "url.h"

#include "tap.h"

/* What the complaint is about; the exact words are for people. */
#define GOOD NULL
#define SCHEME "must begin with"
#define PRINTABLE "printable"
#define EXTRAS "must not have a user"
#define HOST "must name a host"
#define PORT "must have a port"
#define DOTS "dot segments"
#define PLAIN "must use https"
#define ANY "must"

typedef struct UrlCase
{
	const char *url;
	const char *complaint;		/* part of it; NULL: the URL is taken */
} UrlCase;

static const UrlCase url_cases[] = {
	{"https://api.example.com", GOOD},
	{"https://api.example.com/", GOOD},
	{"https://api.example.com/v2/base", GOOD},
	{"https://api.example.com//v2", GOOD},
	{"HTTPS://API.EXAMPLE.COM", GOOD},
	{"https://api_1.my-org.example", GOOD},
	{"https://10.1.2.3", GOOD},
	{"https://a", GOOD},

	/* scheme */
	{"", SCHEME},
	{"/", SCHEME},
	{"api.example.com", SCHEME},
	{"//api.example.com", SCHEME},
	{"https:", SCHEME},
	{"https:/api.example.com", SCHEME},
	{"https:api.example.com", SCHEME},
	{" https://api.example.com", SCHEME},
	{"ftp://api.example.com", SCHEME},
	{"file:///etc/passwd", SCHEME},
	{"httpss://api.example.com", SCHEME},
	{"javascript:alert(1)", SCHEME},
	{"https\t://api.example.com", SCHEME},

	/* host */
	{"https://", HOST},
	{"https:///", HOST},
	{"https:///path", HOST},
	{"https://:443", HOST},
	{"https://:443/path", HOST},
	{"https://a,b", HOST},
	{"https://a;b", HOST},
	{"https://a=b", HOST},
	{"https://a'b", HOST},
	{"https://a*b", HOST},
	{"https://{a}", HOST},

	/* user information and other things that two parsers read differently */
	{"https://user@api.example.com", EXTRAS},
	{"https://user:password@api.example.com", EXTRAS},
	{"https://@api.example.com", EXTRAS},
	{"https://api.example.com@evil.example", EXTRAS},
	{"https://api.example.com:443@evil.example/", EXTRAS},
	{"https://api.example.com/path@evil", EXTRAS},
	{"http://127.0.0.1@evil.example", EXTRAS},
	{"http://localhost:80@evil.example", EXTRAS},
	{"http://localhost#@evil.example", EXTRAS},
	{"http://localhost?@evil.example", EXTRAS},
	{"http://localhost\\@evil.example", EXTRAS},
	{"https://api.example.com\\path", EXTRAS},
	{"https://api.example.com?", EXTRAS},
	{"https://api.example.com?a=b", EXTRAS},
	{"https://api.example.com/?a=b", EXTRAS},
	{"https://api.example.com#", EXTRAS},
	{"https://api.example.com/#part", EXTRAS},
	{"https://api%2eexample.com", EXTRAS},
	{"https://api.example.com/%2e%2e/", EXTRAS},
	{"https://api.example.com/%", EXTRAS},

	/* bytes */
	{"https://api.example.com/a b", PRINTABLE},
	{"https://api.example.com ", PRINTABLE},
	{"https:// api.example.com", PRINTABLE},
	{"https://api.example.com\n", PRINTABLE},
	{"https://api.example.com\r\nHost: evil", PRINTABLE},
	{"https://api.example.com/\t", PRINTABLE},
	{"https://api.example.com/\x01", PRINTABLE},
	{"https://api.example.com/\x7f", PRINTABLE},
	{"https://\xc3\xa4.example", PRINTABLE},
	{"https://a\xe3\x80\x82" "b", PRINTABLE},

	/* ports */
	{"https://api.example.com:1", GOOD},
	{"https://api.example.com:443", GOOD},
	{"https://api.example.com:65535", GOOD},
	{"https://api.example.com:8443/v2", GOOD},
	{"https://api.example.com:0", PORT},
	{"https://api.example.com:00000", PORT},
	{"https://api.example.com:65536", PORT},
	{"https://api.example.com:99999", PORT},
	{"https://api.example.com:100000", PORT},
	{"https://api.example.com:4294967739", PORT},
	{"https://api.example.com:", PORT},
	{"https://api.example.com:/", PORT},
	{"https://api.example.com:-1", PORT},
	{"https://api.example.com:+80", PORT},
	{"https://api.example.com:80a", PORT},
	{"https://api.example.com:a", PORT},
	{"https://api.example.com:80:80", PORT},
	{"https://::1", HOST},

	/* paths */
	{"https://api.example.com/a.b", GOOD},
	{"https://api.example.com/...", GOOD},
	{"https://api.example.com/.a", GOOD},
	{"https://api.example.com/..a", GOOD},
	{"https://api.example.com/a..", GOOD},
	{"https://api.example.com/.", DOTS},
	{"https://api.example.com/..", DOTS},
	{"https://api.example.com/./", DOTS},
	{"https://api.example.com/../", DOTS},
	{"https://api.example.com/a/.", DOTS},
	{"https://api.example.com/a/..", DOTS},
	{"https://api.example.com/a/./b", DOTS},
	{"https://api.example.com/a/../b", DOTS},
	{"https://api.example.com//..", DOTS},

	/* IPv6 */
	{"https://[::1]", GOOD},
	{"https://[2001:db8::1]", GOOD},
	{"https://[2001:DB8::1]:8443/v2", GOOD},
	{"https://[::ffff:192.0.2.1]", GOOD},
	{"https://[]", HOST},
	{"https://[", HOST},
	{"https://]", HOST},
	{"https://[::1", HOST},
	{"https://[:", HOST},
	{"https://::1]", HOST},
	{"https://[::1/]", HOST},
	{"https://[::1]evil.example", HOST},
	{"https://[::1].evil.example", HOST},
	{"https://[::1]]", HOST},
	{"https://[[::1]]", HOST},
	{"https://a[::1]", HOST},
	{"https://[api.example.com]", HOST},
	{"https://[fe80::1-eth0]", HOST},
	{"https://[::1]:0", PORT},
	{"https://[::1]:", PORT},
	{"https://[::1]:65536", PORT},

	/* plain http: to loopback hosts only */
	{"http://localhost", GOOD},
	{"HTTP://LocalHost:8080/v2", GOOD},
	{"http://127.0.0.1", GOOD},
	{"http://127.0.0.1:8080", GOOD},
	{"http://127.0.0.1/v2", GOOD},
	{"http://127.255.255.254", GOOD},
	{"http://[::1]", GOOD},
	{"http://[::1]:8080/v2", GOOD},
	{"http://api.example.com", PLAIN},
	{"http://localhost.evil.example", PLAIN},
	{"http://localhost.", PLAIN},
	{"http://notlocalhost", PLAIN},
	{"http://localhos", PLAIN},
	{"http://127.evil.example", PLAIN},
	{"http://127.0.0.1.evil.example", PLAIN},
	{"http://127.0.0.1-evil.example", PLAIN},
	{"http://127-0-0-1.evil.example", PLAIN},
	{"http://1270.0.0.1", PLAIN},
	{"http://128.0.0.1", PLAIN},
	{"http://126.255.255.255", PLAIN},
	{"http://10.0.0.1", PLAIN},
	{"http://0.0.0.0", PLAIN},
	{"http://2130706433", PLAIN},
	{"http://0x7f000001", PLAIN},
	{"http://0177.0.0.1", PLAIN},
	{"http://[::]", PLAIN},
	{"http://[::2]", PLAIN},
	{"http://[::10]", PLAIN},
	{"http://[1::1]", PLAIN},
	{"http://[fe80::1]", PLAIN},
	{"http://[::ffff:7f00:1]", PLAIN},

	/* digits and dots that are no address are a name, which may lead anywhere */
	{"http://127.0.0.256", ANY},
	{"http://127.0.0.1.1", ANY},
	{"http://127.999.999.999", ANY},
	{"http://127......", ANY},
	{"http://127.0.0.1.", ANY},
};

typedef struct LoopbackCase
{
	const char *url;
	bool		loopback;
} LoopbackCase;

static const LoopbackCase loopback_cases[] = {
	{"https://localhost", true},
	{"https://LOCALHOST:443/path", true},
	{"http://localhost/", true},
	{"https://127.0.0.1", true},
	{"https://127.1.2.3:65535", true},
	{"https://[::1]", true},
	{"https://[::1]:443/", true},
	{"https://api.example.com", false},
	{"https://api.example.com/localhost", false},
	{"https://localhost.example.com", false},
	{"https://127.evil.example", false},
	{"https://127.0.0.256", false},
	{"https://127.0.0.1.1", false},
	{"https://128.0.0.1", false},
	{"https://[::2]", false},
	{"https://[2001:db8::1]", false},
	{"ftp://localhost", false},
	{"localhost", false},
	{"", false},
};

static const UrlCase proxy_cases[] = {
	{"http://proxy:3128", GOOD},
	{"http://proxy.corp.example:3128/", GOOD},
	{"http://10.1.2.3:3128", GOOD},
	{"http://[fd00::1]:3128", GOOD},
	{"https://proxy.example", GOOD},
	{"HTTP://127.0.0.1:1", GOOD},
	{"proxy:3128", SCHEME},
	{"socks5://proxy:1080", SCHEME},
	{"http://user:secret@proxy:3128", EXTRAS},
	{"http://proxy:3128?x", EXTRAS},
	{"http://proxy:99999", PORT},
	{"http://:3128", HOST},
	{"http://proxy:3128/path", "must not have a path"},
	{"http://pro xy", PRINTABLE},
	{"", SCHEME},
};

static const UrlCase hosts_cases[] = {
	{"api.example.com", GOOD},
	{"api.example.com,login.example.com", GOOD},
	{"api", GOOD},
	{"Api-1.corp_x.example", GOOD},
	{"", ANY}, {",", ANY}, {"a,", ANY}, {",a", ANY}, {"a,,b", ANY}, {"a, b", ANY}, {" a", ANY},
	{"a:443", ANY}, {"https://a", ANY}, {"a/", ANY}, {"*.example.com", ANY}, {".example.com", ANY}, {"a.", ANY},
	{"10.1.2.3", ANY}, {"10.1", ANY}, {"0x7f.1", ANY}, {"167772161", ANY}, {"[fd00::1]", ANY}, {"fd00::1", ANY},
	{"localhost", ANY}, {"127.0.0.1", ANY}, {"a.0x1", ANY},
};

static void
test_list(const UrlCase *list, size_t count, const char *(*complaint_of) (const char *), const char *what)
{
	for (size_t i = 0; i < count; i++)
	{
		const char *complaint = complaint_of(list[i].url);

		ok(list[i].complaint == NULL ? complaint == NULL :
		   complaint != NULL && strstr(complaint, list[i].complaint) != NULL,
		   "%s: \"%s\": %s", what, list[i].url, complaint != NULL ? complaint : "good");
	}
}

static void
test_among(void)
{
	ok(url_host_is_among("https://api.example.com:8443/v2", "a,API.example.com"), "a host is among them");
	ok(!url_host_is_among("https://api.example.com", "example.com,pi.example.com,api.example.co"), "all of it");
	ok(!url_host_is_among("https://api.example.com", NULL), "of none");
	ok(!url_host_is_among("https://api.example.com", ""), "of nothing");
	ok(!url_host_is_among("api.example.com", "api.example.com"), "of no URL");
	ok(!url_host_is_among("https://a.example/api.example.com", "api.example.com"), "a path is no host");
}

typedef struct PinCase
{
	const char *url;
	const char *pins;
	bool		pinned;
} PinCase;

static const PinCase pin_cases[] = {
	{"https://api.example.com", "api.example.com", true},
	{"https://api.example.com/v2/", "api.example.com", true},
	{"https://API.Example.Com", "api.example.COM", true},
	{"https://api.example.com:443", "api.example.com", true},
	{"https://api.example.com", "api.example.com:443", true},
	{"https://api.example.com:0443", "api.example.com:443", true},
	{"https://api.example.com:8443", "api.example.com:8443", true},
	{"https://api.example.com:8443", "api.example.com:*", true},
	{"https://login.example.com", "api.example.com, login.example.com", true},
	{"https://login.example.com", "api.example.com ,\tlogin.example.com ", true},
	{"http://127.0.0.1:8080", "127.0.0.1:8080", true},
	{"http://localhost", "localhost:80", true},
	{"https://[fd00::1]:8443", "[FD00::1]:8443", true},
	{"https://[fd00::1]", "[fd00::1]", true},
	{"https://xn--bcher-kva.example", "xn--bcher-kva.example", true},

	{"https://evil.example", "api.example.com", false},
	{"https://api.example.com.evil.example", "api.example.com", false},
	{"https://evil-api.example.com", "api.example.com", false},
	{"https://pi.example.com", "api.example.com", false},
	{"https://evil.example/api.example.com", "api.example.com", false},
	{"https://evil.example/?@api.example.com", "api.example.com", false},
	{"https://api.example.com@evil.example", "api.example.com", false},
	{"https://evil.example@api.example.com", "api.example.com", false},
	{"https://api.example.com:443@evil.example", "api.example.com:*", false},
	{"https://api.example.com\\@evil.example", "api.example.com", false},
	{"https://evil.example#api.example.com", "api.example.com", false},
	{"https://api%2eexample.com", "api.example.com", false},
	{"https://api.example.com:8443", "api.example.com", false},
	{"https://api.example.com", "api.example.com:8443", false},
	{"https://api.example.com:99999", "api.example.com:*", false},
	{"https://api.example.com.", "api.example.com", false},
	{"https://api.example.com", "api.example.com.", false},
	{"http://127.0.0.1:443", "127.0.0.1", false},
	{"http://api.example.com:443", "api.example.com:443", false},
	{"https://127.1", "127.0.0.1", false},
	{"https://[0:0:0:0:0:0:0:1]", "[::1]", false},
	{"https://[::ffff:127.0.0.1]", "127.0.0.1", false},
	{"https://[::1]", "::1", false},
	{"https://b\xc3\xbc" "cher.example", "xn--bcher-kva.example", false},
	{"https://\xd0\xb0pi.example.com", "api.example.com", false},
	{"ftp://api.example.com", "api.example.com", false},
	{"api.example.com", "api.example.com", false},
	{"", "api.example.com", false},
	{"https://api.example.com", "", false},
	{"https://api.example.com", "*", false},
	{"https://api.example.com", "*.example.com", false},
	{"https://api.example.com", "api.example.com,", false},
	{"https://api.example.com", "https://api.example.com", false},
};

static void
test_pins(void)
{
	const char *host;

	for (size_t i = 0; i < sizeof(pin_cases) / sizeof(pin_cases[0]); i++)
		ok(url_is_pinned(pin_cases[i].url, pin_cases[i].pins) == pin_cases[i].pinned,
		   "\"%s\" is %sone of \"%s\"", pin_cases[i].url, pin_cases[i].pinned ? "" : "not ", pin_cases[i].pins);
	is_number(url_host_length("https://api.example.com:8443/v2", &host), 20, "a host with its port");
	ok(strncmp(host, "api.example.com:8443", 20) == 0, "is found");
}

static const UrlCase pins_cases[] = {
	{"api.example.com", GOOD},
	{"api.example.com:8443", GOOD},
	{"api.example.com:*", GOOD},
	{"a , b:1,[::1]:2,[::1]", GOOD},
	{"", ANY}, {" ", ANY}, {",", ANY}, {"a,", ANY}, {",a", ANY}, {"a,,b", ANY}, {"a b", ANY},
	{"a:", ANY}, {"a:0", ANY}, {"a:65536", ANY}, {"a:http", ANY}, {"a:**", ANY}, {"a:1*", ANY}, {":1", ANY}, {"*:1", ANY},
	{"https://a", ANY}, {"a/", ANY}, {"u@a", ANY}, {"[::1", ANY}, {"::1", ANY}, {"a\x01", ANY},
};

int
main(void)
{
	test_list(pins_cases, sizeof(pins_cases) / sizeof(pins_cases[0]), url_pins_complaint, "pins");
	test_pins();
	test_list(proxy_cases, sizeof(proxy_cases) / sizeof(proxy_cases[0]), url_proxy_complaint, "proxy");
	test_list(hosts_cases, sizeof(hosts_cases) / sizeof(hosts_cases[0]), url_hosts_complaint, "hosts");
	test_among();
	for (size_t i = 0; i < sizeof(url_cases) / sizeof(url_cases[0]); i++)
	{
		const UrlCase *c = &url_cases[i];
		const char *got = url_complaint(c->url);

		if (!ok(c->complaint == NULL ? got == NULL :
				got != NULL && strstr(got, c->complaint) != NULL,
				"URL %zu is %s", i, c->complaint == NULL ? "taken" : "refused"))
			printf("#   \"%s\"\n#   got:    %s\n#   wanted: %s\n", c->url,
				   got != NULL ? got : "no complaint",
				   c->complaint != NULL ? c->complaint : "no complaint");
	}
	for (size_t i = 0; i < sizeof(loopback_cases) / sizeof(loopback_cases[0]); i++)
		ok(url_is_loopback(loopback_cases[i].url) == loopback_cases[i].loopback,
		   "%s is %sloopback", loopback_cases[i].url, loopback_cases[i].loopback ? "" : "not ");
	return done_testing();
}
