/*
 * lineage_columns.h: the columns of lineage that an outcome brings, one row for
 * each: LINEAGE_COLUMN(type in C, type of rows.h, name).  The others are the
 * nudge's, or have defaults.
 *
 * Included for its rows, by whoever defines LINEAGE_COLUMN(), so it has no guard.
 * The first one is $1 of the statement that stores them.  INTEGER_OR_NULL and
 * TIME_OR_NULL make 0 null: where 0 is a value and null is another, rows.h needs
 * a type more, in which something that is no value is null, say -1.
 */
LINEAGE_COLUMN(pg_uuid_t, UUID, nudge_id)
LINEAGE_COLUMN(const char *, TEXT, outcome)
LINEAGE_COLUMN(const char *, TEXT, reason)
LINEAGE_COLUMN(const char *, TEXT, step)
LINEAGE_COLUMN(const char *, TEXT, conversation_id)
LINEAGE_COLUMN(const char *, TEXT, previous_conversation_id)
LINEAGE_COLUMN(const char *, TEXT, root_conversation_id)
LINEAGE_COLUMN(int, INTEGER, generation)
LINEAGE_COLUMN(const char *, TEXT, status_seen)
LINEAGE_COLUMN(const char *, TEXT, channel)
LINEAGE_COLUMN(const char *, TEXT, address_hash)
LINEAGE_COLUMN(int, INTEGER, attempts)
LINEAGE_COLUMN(int, INTEGER, api_calls)
LINEAGE_COLUMN(int, INTEGER, api_calls_saved)
LINEAGE_COLUMN(int, INTEGER_OR_NULL, http_status)
LINEAGE_COLUMN(const char *, TEXT, api_error_code)
LINEAGE_COLUMN(const char *, TEXT, api_error_message)
LINEAGE_COLUMN(const char *, TEXT, correlation_id)
LINEAGE_COLUMN(const char *, TEXT, message_id)
LINEAGE_COLUMN(TimestampTz, TIME_OR_NULL, checked_at)
LINEAGE_COLUMN(TimestampTz, TIME_OR_NULL, called_at)
LINEAGE_COLUMN(TimestampTz, TIME, occurred_at)
