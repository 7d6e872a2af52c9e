/*
 * policy_columns.h: what the worker reads of a policy, one row for each member of
 * Policy: POLICY_COLUMN(type in C, type of rows.h, name, expression over the row p).
 *
 * Included for its rows, by whoever defines POLICY_COLUMN(), so it has no guard.
 */
POLICY_COLUMN(const char *, TEXT, server, "p.server")
POLICY_COLUMN(const char *, TEXT, campaign, "p.campaign")	/* NULL: any */
POLICY_COLUMN(const char *, TEXT, channel, "p.channel")	/* NULL: any */
POLICY_COLUMN(QuietHours *, BY_HAND, quiet_hours, "p.quiet_hours")
POLICY_COLUMN(const char *, TEXT, time_zone, "p.time_zone")	/* of customers whose zone is not known */
POLICY_COLUMN(int, INTEGER, cap, "coalesce(p.cap, -1)")	/* -1: none */
/* microseconds */
POLICY_COLUMN(int64_t, BIGINT, cap_interval, "(extract(epoch FROM p.cap_interval) * 1000000)::pg_catalog.int8")
POLICY_COLUMN(int64_t, BIGINT, minimum_gap, "(extract(epoch FROM p.minimum_gap) * 1000000)::pg_catalog.int8")
POLICY_COLUMN(double, DOUBLE, holdout, "p.holdout_percent::pg_catalog.float8")	/* percent */
POLICY_COLUMN(const char *, TEXT, holdout_salt, "p.holdout_salt")
POLICY_COLUMN(int, INTEGER, max_length, "coalesce(p.max_length, 0)")	/* characters */
POLICY_COLUMN(int, INTEGER, max_per_minute, "coalesce(p.max_per_minute, 0)")	/* starts of one role */
