/*
 * server_options.h: what the options of a server come to.
 */
#ifndef REENGAGE_SERVER_OPTIONS_H
#define REENGAGE_SERVER_OPTIONS_H

#include "decide.h"
#include "dialect_traits.h"
#include "message.h"

/* A server's options with the defaults filled in.  Where each goes, option_table.c says. */
typedef struct ServerOptions
{
	ServerMessage courier;		/* what the courier is told; its name and its credentials are left open */
	const DialectTraits *dialect;
	const char *database;		/* the one that they are of; NULL: not in UTF-8 */
	bool		tag_lineage;	/* the thread's root is written on what a create makes */
	const char *from_address;	/* NULL: none */
	const Sender *senders;		/* for some channels */
	int			nsenders;
	bool		senders_overrule;	/* the business side of the old conversation, too */
	const char *country_code;	/* of numbers that do not name theirs; NULL: not known */
	const char *proactive_channels; /* comma-separated, without blanks */
	int64_t		max_failures;	/* 0: no limit */
	int64_t		max_attempts;
	bool		honours_keys;	/* idempotency is key */
	int64_t		key_lifetime_s;
} ServerOptions;

#endif
