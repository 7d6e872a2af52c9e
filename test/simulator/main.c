/*
 * main.c: options, start and stop of the API simulator.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "conversations.h"
#include "faults.h"
#include "identifiers.h"
#include "journal.h"
#include "server.h"
#include "settings.h"

Settings	settings = {
	.client_id = "demo",
	.client_secret = "secret",
	.token_lifetime = 86400,
	.token_calls = UNLIMITED,
	.close_after_looks = UNLIMITED,
	.customers = CUSTOMERS_MAX,
	.default_status = "closed",
	.keep_alive = true,
	.seed = 1,
};

static const char *const usage =
"Usage: reengage-simulator [OPTION]...\n"
"Simulates the messaging API, with the faults that tests ask for.\n\n"
"  --port N                 listen on 127.0.0.1:N; 0, the default, is any free port\n"
"  --port-file FILE         write the port to FILE once it listens\n"
"  --tls-certificate FILE   listen with TLS, too; certificate, chain and key in PEM\n"
"  --tls-port N             on this port\n"
"  --tls-port-file FILE     write that port to FILE before the other\n"
"  --client-id ID           accepted client (demo)\n"
"  --client-secret SECRET   and its secret (secret)\n"
"  --no-auth                demand no token\n"
"  --token-lifetime SECONDS life of a token (86400)\n"
"  --token-calls N          calls until a token dies (unlimited)\n"
"  --latency-ms N           wait before every answer of the API (0)\n"
"  --default-status STATUS  of conversations that no rule names (closed);\n"
"                           hash: half active, half closed; none: not found\n"
"  --customers N            of conversations that nobody described (10^8)\n"
"  --close-after-looks N    created sessions close after N looks (never)\n"
"  --conversations FILE     load id,status,channel,address\n"
"  --ledger FILE            append requests and effects as JSON lines\n"
"  --honour-keys            an idempotency key has its effect once\n"
"  --seed N                 of the dice of fault rules (1)\n"
"  --die-with-parent        stop when the parent process ends\n"
"  --help                   show this\n";

static const struct option options[] = {
	{"port", required_argument, NULL, 'p'},
	{"port-file", required_argument, NULL, 'P'},
	{"tls-certificate", required_argument, NULL, 'x'},
	{"tls-port", required_argument, NULL, 'y'},
	{"tls-port-file", required_argument, NULL, 'Y'},
	{"client-id", required_argument, NULL, 'i'},
	{"client-secret", required_argument, NULL, 's'},
	{"no-auth", no_argument, NULL, 'n'},
	{"token-lifetime", required_argument, NULL, 't'},
	{"token-calls", required_argument, NULL, 'T'},
	{"latency-ms", required_argument, NULL, 'l'},
	{"default-status", required_argument, NULL, 'd'},
	{"customers", required_argument, NULL, 'u'},
	{"close-after-looks", required_argument, NULL, 'c'},
	{"conversations", required_argument, NULL, 'C'},
	{"ledger", required_argument, NULL, 'L'},
	{"honour-keys", no_argument, NULL, 'k'},
	{"seed", required_argument, NULL, 'S'},
	{"die-with-parent", no_argument, NULL, 'D'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0}
};

bool
settings_set_default_status(const char *status)
{
	size_t		length = strlen(status);

	if (length == 0 || length >= sizeof(settings.default_status))
		return false;
	memcpy(settings.default_status, status, length + 1);
	return true;
}

static void
fail(const char *problem, const char *detail)
{
	fprintf(stderr, "reengage-simulator: %s: %s\n", problem, detail);
	exit(EXIT_FAILURE);
}

static int64_t
number(const char *text, int64_t largest)
{
	char	   *end;
	long long	value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 0 || value > largest)
		fail("not a number in range", text);
	return value;
}

static void
take_option(int option, const char *argument)
{
	switch (option)
	{
		case 'p':
			settings.port = (uint16_t) number(argument, UINT16_MAX);
			break;
		case 'P':
			settings.port_file = argument;
			break;
		case 'x':
			settings.certificate_file = argument;
			break;
		case 'y':
			settings.tls_port = (uint16_t) number(argument, UINT16_MAX);
			break;
		case 'Y':
			settings.tls_port_file = argument;
			break;
		case 'i':
			settings.client_id = argument;
			break;
		case 's':
			settings.client_secret = argument;
			break;
		case 'n':
			settings.no_auth = true;
			break;
		case 't':
			settings.token_lifetime = number(argument, INT32_MAX);
			break;
		case 'T':
			settings.token_calls = number(argument, INT64_MAX);
			break;
		case 'l':
			settings.latency_ms = number(argument, INT32_MAX);
			break;
		case 'd':
			if (!settings_set_default_status(argument))
				fail("not a status", argument);
			break;
		case 'u':
			settings.customers = number(argument, CUSTOMERS_MAX);
			if (settings.customers == 0)
				fail("there must be a customer", argument);
			break;
		case 'c':
			settings.close_after_looks = number(argument, INT64_MAX);
			break;
		case 'C':
			settings.conversations_file = argument;
			break;
		case 'L':
			settings.ledger_file = argument;
			break;
		case 'k':
			settings.honour_keys = true;
			break;
		case 'S':
			settings.seed = (uint64_t) number(argument, INT64_MAX);
			break;
		case 'D':
			settings.die_with_parent = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs(usage, stderr);
			exit(EXIT_FAILURE);
	}
}

static void
read_options(int argc, char *argv[])
{
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(option, optarg);
	if (optind < argc)
		fail("unexpected argument", argv[optind]);
}

/* A parent that is gone already will send no signal any more. */
static void
die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(EXIT_SUCCESS);
}

/* A test may keep thousands of connections open. */
static void
allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Returns a descriptor that becomes readable when it is time to stop. */
static int
catch_signals(void)
{
	sigset_t	signals;
	int			descriptor;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	descriptor = signalfd(-1, &signals, SFD_CLOEXEC);
	if (descriptor < 0)
		fail("signalfd", strerror(errno));
	return descriptor;
}

/* Renamed into place, so that who waits for the file never reads half a number. */
static void
write_port_file(const char *name, uint16_t port)
{
	char	   *temporary;
	FILE	   *file;

	if (asprintf(&temporary, "%s.new", name) < 0)
		fail("asprintf", strerror(errno));
	file = fopen(temporary, "w");
	if (file == NULL || fprintf(file, "%u\n", port) < 0 || fclose(file) != 0 ||
		rename(temporary, name) != 0)
		fail(name, strerror(errno));
	free(temporary);
}

int
main(int argc, char *argv[])
{
	pid_t		parent = getppid();
	int			stop_descriptor;
	uint16_t	port;

	read_options(argc, argv);
	stop_descriptor = catch_signals();
	if (settings.die_with_parent)
		die_with_parent(parent);
	allow_many_descriptors();
	identifiers_start();
	faults_seed(settings.seed);
	if (!conversations_load() || !journal_open())
		return EXIT_FAILURE;
	port = server_start(settings.port);
	if (port == 0)
		return EXIT_FAILURE;
	/* who waits for the file finds what is said here */
	printf("listening on http://127.0.0.1:%u\n", port);
	fflush(stdout);
	if (settings.tls_port_file != NULL)
		write_port_file(settings.tls_port_file, server_tls_port());
	if (settings.port_file != NULL)
		write_port_file(settings.port_file, port);

	server_run(stop_descriptor);
	server_stop();
	return journal_close() ? EXIT_SUCCESS : EXIT_FAILURE;
}
