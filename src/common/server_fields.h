/*
 * server_fields.h: what the courier is told of a server, one row for each field
 * of ServerMessage, in the order of their tags: a text, a text that may be NULL,
 * or a number.
 *
 * Included for its rows, by whoever defines the three, so it has no guard.
 */
SERVER_TEXT(name)
SERVER_TEXT(dialect)
SERVER_TEXT(api_url)				/* without a slash at the end */
SERVER_TEXT_OR_NULL(login_url)		/* NULL: no authorisation */
SERVER_TEXT_OR_NULL(client_id)
SERVER_TEXT_OR_NULL(client_secret)
SERVER_TEXT_OR_NULL(ca_file)		/* NULL: the system's authorities */
SERVER_TEXT_OR_NULL(proxy)			/* NULL: none, whatever the environment says */
SERVER_TEXT_OR_NULL(opt_out_words)	/* comma-separated; NULL: only the usual ones */
SERVER_TEXT_OR_NULL(private_hosts)	/* comma-separated: those that may have a private address */
SERVER_NUMBER(timeout_ms)
SERVER_NUMBER(connect_timeout_ms)
SERVER_NUMBER(max_in_flight)
SERVER_NUMBER(max_requests_per_minute)	/* 0: no limit */
SERVER_NUMBER(max_reply_bytes)
