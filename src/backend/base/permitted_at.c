/*
 * permitted_at.c: when quiet hours end.
 *
 * An instant is quiet if the wall clock shows a time in a window.  So the end of
 * a window that a clock leaps over is the leap itself, and what a clock shows
 * twice is quiet twice.  Between two changes of a zone's offset the clock goes
 * evenly, so the way is from window to window and from change to change.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/permitted_at.h"
#include "base/time_zones.h"

PG_FUNCTION_INFO_V1(reengage_permitted_at);

static void
refuse_windows(const char *windows, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid quiet hours: \"%s\"", windows),
			 errdetail("%s", detail),
			 errhint("A window is text such as \"mon-fri 20:00-08:00\", \"sat,sun 18:00-10:00\" or \"daily 21:00-08:00\".")));
}

void
quiet_hours_read(QuietHours *hours, Datum windows)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	memset(hours, 0, sizeof(*hours));
	deconstruct_array(DatumGetArrayTypeP(windows), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	if (count == 0)
		refuse_windows("{}", "There is no window in it; where there are no quiet hours, it is null.");
	for (int i = 0; i < count; i++)
	{
		const char *window = nulls[i] ? "null" : TextDatumGetCString(elements[i]);
		const char *complaint = quiet_hours_add(hours, window);

		if (complaint != NULL)
			refuse_windows(window, complaint);
	}
	if (quiet_hours_left(hours, 0) < 0)
		refuse_windows(TextDatumGetCString(elements[count - 1]), "With it no time of the week is left.");
}

/* Seconds of the week, from Monday 00:00 on, that the clock shows. */
static int
clock_of_week(const struct pg_tm *clock)
{
	int			day = (clock->tm_wday + 6) % 7;

	return ((day * 24 + clock->tm_hour) * 60 + clock->tm_min) * 60 + clock->tm_sec;
}

/* When an even clock would be at the end of the window; at itself: it is in none. */
static pg_time_t
end_of_window(const QuietHours *hours, const pg_tz *zone, pg_time_t at)
{
	int			now = clock_of_week(pg_localtime(&at, zone));
	int			left = quiet_hours_left(hours, now / 60 % MINUTES_OF_WEEK);

	return left == 0 ? at : at + left * 60 - now % 60;
}

/* When the zone's offset changes next. */
static pg_time_t
next_change(const pg_tz *zone, pg_time_t at)
{
	long int	before;
	long int	after;
	int			before_is_dst;
	int			after_is_dst;
	pg_time_t	change;

	if (pg_next_dst_boundary(&at, &before, &before_is_dst, &change, &after, &after_is_dst, zone) > 0)
		return change;
	return PG_INT64_MAX;
}

static pg_time_t
floor_of_seconds(TimestampTz at)
{
	return at / USECS_PER_SEC - (at % USECS_PER_SEC < 0);
}

TimestampTz
permitted_at(const QuietHours *hours, const pg_tz *zone, TimestampTz at)
{
	const pg_time_t epoch = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	pg_time_t	start = floor_of_seconds(at) + epoch;
	pg_time_t	now = start;

	if (TIMESTAMP_NOT_FINITE(at))
		return at;
	if (quiet_hours_left(hours, 0) < 0)
		return DT_NOEND;
	for (;;)
	{
		pg_time_t	end = end_of_window(hours, zone, now);

		if (end == now)
			return now == start ? at : (now - epoch) * USECS_PER_SEC;
		now = Min(end, next_change(zone, now));
	}
}

Datum
reengage_permitted_at(PG_FUNCTION_ARGS)
{
	QuietHours	hours;
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	pg_tz	   *zone = time_zone_find(name);
	TimestampTz at;

	quiet_hours_read(&hours, PG_GETARG_DATUM(1));
	if (zone == NULL)
		time_zone_refuse(name, "");
	at = permitted_at(&hours, zone, PG_GETARG_TIMESTAMPTZ(0));
	if (!TIMESTAMP_NOT_FINITE(at) && !IS_VALID_TIMESTAMP(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	PG_RETURN_TIMESTAMPTZ(at);
}
