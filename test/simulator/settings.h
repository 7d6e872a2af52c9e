/*
 * settings.h: what the command line decided, and what POST /_sim/settings may
 * change while the simulator runs.
 */
#ifndef SIMULATOR_SETTINGS_H
#define SIMULATOR_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* Stands for "never" and "no limit" wherever a setting counts something. */
#define UNLIMITED (-1)

/* Their addresses have so many digits. */
#define CUSTOMERS_MAX 100000000

typedef struct Settings
{
	uint16_t	port;				/* 0: any free port */
	const char *port_file;
	uint16_t	tls_port;			/* 0: any free port */
	const char *tls_port_file;
	const char *certificate_file;	/* NULL: no TLS */
	const char *conversations_file;
	const char *ledger_file;
	const char *client_id;
	const char *client_secret;
	bool		no_auth;
	bool		honour_keys;
	bool		keep_alive;			/* connections outlive their first answer */
	bool		die_with_parent;
	int64_t		token_lifetime;		/* seconds */
	int64_t		token_calls;		/* calls until a token dies, or UNLIMITED */
	int64_t		latency_ms;
	int64_t		close_after_looks;	/* of created sessions, or UNLIMITED */
	int64_t		hide_created;		/* looks for which created sessions are not found */
	int64_t		customers;			/* of conversations that nobody described */
	char		default_status[64]; /* a word, "hash" or "none" */
	uint64_t	seed;
} Settings;

extern Settings settings;

/* Sets the status of conversations that no rule names; false if it is too long or empty. */
extern bool settings_set_default_status(const char *status);

#endif
