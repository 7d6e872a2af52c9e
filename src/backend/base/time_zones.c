/*
 * time_zones.c: the names of pg_timezone_names, and no other.
 *
 * PostgreSQL also takes POSIX strings for time zones.  In those the sign is
 * turned round: "UTC+2" is two hours west, which nobody means who writes it.
 * And it keeps each that a session ever named, 23 kB apiece.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "base/time_zones.h"

/* Names in messages are cut: they may be a megabyte. */
#define SHOWN_MAX 60
#define TYPOS_MAX 2
#define FAR (TYPOS_MAX + 1)

/* What people write who do not write a name of the database of time zones. */
static const char *const alias[][2] = {
	{"aedt", "Australia/Sydney"},
	{"aest", "Australia/Sydney"},
	{"arabian standard time", "Asia/Dubai"},
	{"aus eastern standard time", "Australia/Sydney"},
	{"bst", "Europe/London"},
	{"cdt", "America/Chicago"},
	{"central europe standard time", "Europe/Budapest"},
	{"central standard time", "America/Chicago"},
	{"central time", "America/Chicago"},
	{"cest", "Europe/Berlin"},
	{"china standard time", "Asia/Shanghai"},
	{"cst", "America/Chicago"},
	{"e. south america standard time", "America/Sao_Paulo"},
	{"eastern standard time", "America/New_York"},
	{"eastern time", "America/New_York"},
	{"edt", "America/New_York"},
	{"eest", "Europe/Athens"},
	{"gmt standard time", "Europe/London"},
	{"india standard time", "Asia/Kolkata"},
	{"ist", "Asia/Kolkata"},
	{"jst", "Asia/Tokyo"},
	{"mdt", "America/Denver"},
	{"mountain standard time", "America/Denver"},
	{"mountain time", "America/Denver"},
	{"nzst", "Pacific/Auckland"},
	{"pacific standard time", "America/Los_Angeles"},
	{"pacific time", "America/Los_Angeles"},
	{"pdt", "America/Los_Angeles"},
	{"pst", "America/Los_Angeles"},
	{"romance standard time", "Europe/Paris"},
	{"singapore standard time", "Asia/Singapore"},
	{"tokyo standard time", "Asia/Tokyo"},
	{"w. europe standard time", "Europe/Berlin"},
	{"z", "UTC"}
};

pg_tz *
time_zone_find(const char *name)
{
	char		of_file[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone;

	if (name == NULL || name[0] == '\0' || name[0] == ':' || strlen(name) >= TZ_STRLEN_MAX)
		return NULL;
	/* behind a colon stands the name of a file, never a POSIX string, and what is not found is not kept */
	snprintf(of_file, sizeof(of_file), ":%s", name);
	zone = pg_tzset(of_file);
	/* one that counts leap seconds is not for timestamps */
	return zone != NULL && pg_tz_acceptable(zone) ? zone : NULL;
}

/* Control bytes would end up in a log or a terminal; so they show as '?'. */
static const char *
printable_zone(const char *name)
{
	char	   *copy = pnstrdup(name, pg_mbcliplen(name, strlen(name), SHOWN_MAX));

	for (char *byte = copy; *byte; byte++)
		if ((unsigned char) *byte < ' ' || *byte == 0x7f)
			*byte = '?';
	return strlen(name) > SHOWN_MAX ? psprintf("%s...", copy) : copy;
}

/* What is left of a name to compare it: its letters and digits, small. */
static void
squeeze_name(char *into, size_t size, const char *name)
{
	size_t		used = 0;

	for (; *name && used < size - 1; name++)
		if (isascii((unsigned char) *name) && isalnum((unsigned char) *name))
			into[used++] = pg_ascii_tolower((unsigned char) *name);
	into[used] = '\0';
}

/*
 * The hours east of UTC that somebody means who writes "UTC+2", "+02:00",
 * "GMT-5", "(GMT+01:00)" or "<+02>-2"; false: it is no such thing.
 */
static bool
means_offset(const char *name, int *hours, int *minutes)
{
	const char *at = name + strspn(name, "<( ");
	int			sign;
	char	   *end;

	if (pg_strncasecmp(at, "utc", 3) == 0 || pg_strncasecmp(at, "gmt", 3) == 0)
		at += 3;
	at += strspn(at, " ");
	sign = *at == '-' ? -1 : 1;
	if ((*at != '+' && *at != '-') || !isdigit((unsigned char) at[1]))
		return false;
	*hours = strtol(at + 1, &end, 10);
	*minutes = 0;
	if (end - at > 3)
	{
		*minutes = *hours % 100;
		*hours /= 100;
	}
	else if (*end == ':')
		*minutes = strtol(end + 1, &end, 10);
	*hours *= sign;
	return strspn(end, ")>+-:0123456789 ") == strlen(end);
}

static const char *
hint_of_offset(int hours, int minutes)
{
	const char *place = "the name of a place, such as Europe/Berlin, knows summer time";

	if (hours == 0 || minutes != 0 || abs(hours) > 12)
		return psprintf("An offset is no time zone; %s.", place);
	return psprintf("Etc/GMT%+d is %d hour%s %s of UTC, in summer and in winter; %s.",
					-hours, abs(hours), abs(hours) == 1 ? "" : "s", hours > 0 ? "east" : "west", place);
}

/* By how many typing errors two squeezed names differ; too many are FAR. */
static int
typing_distance(const char *one, const char *other)
{
	int			most = Min(TYPOS_MAX, (int) strlen(other) / 4);
	int			typos = varstr_levenshtein_less_equal(one, strlen(one), other, strlen(other), 1, 1, 1, most, true);

	return typos <= most ? typos : FAR;
}

/* All names but the second copies, found once by a session: it takes long. */
static List *
all_names(void)
{
	static List *names = NIL;
	List	   *found = NIL;
	MemoryContext before;
	pg_tzenum  *zones;
	pg_tz	   *zone;

	if (names != NIL)
		return names;
	before = MemoryContextSwitchTo(TopMemoryContext);
	zones = pg_tzenumerate_start();
	while ((zone = pg_tzenumerate_next(zones)) != NULL)
		if (strncmp(pg_get_timezone_name(zone), "posix/", 6) != 0)
			found = lappend(found, pstrdup(pg_get_timezone_name(zone)));
	pg_tzenumerate_end(zones);
	MemoryContextSwitchTo(before);
	names = found;
	return names;
}

/* How far a name is from a squeezed one: twice the typing errors, and one more if only its place is alike. */
static int
rank_of(const char *wanted, const char *name)
{
	const char *place = strrchr(name, '/');
	char		squeezed[TZ_STRLEN_MAX + 1];
	int			of_whole;

	squeeze_name(squeezed, sizeof(squeezed), name);
	of_whole = 2 * typing_distance(wanted, squeezed);
	if (place == NULL)
		return of_whole;
	squeeze_name(squeezed, sizeof(squeezed), place);
	return Min(of_whole, 2 * typing_distance(wanted, squeezed) + 1);
}

/* The name that is nearest to a squeezed one; NULL: none is near. */
static const char *
nearest_zone(const char *wanted)
{
	const char *best = NULL;
	int			best_rank = 2 * FAR;
	ListCell   *cell;

	if (wanted[0] == '\0')
		return NULL;
	foreach(cell, all_names())
	{
		const char *name = lfirst(cell);
		int			rank = rank_of(wanted, name);

		/* of two alike, the same on every server */
		if (rank < best_rank || (rank == best_rank && best != NULL && strcmp(name, best) < 0))
		{
			best = name;
			best_rank = rank;
		}
	}
	return best;
}

/* Of a display name such as "(GMT+01:00) Amsterdam, Berlin" the last place. */
static const char *
place_in(const char *name)
{
	const char *bracket = strrchr(name, ')');
	const char *comma = strrchr(name, ',');

	if (bracket != NULL && bracket[1] != '\0')
		name = bracket + 1;
	return comma != NULL && comma > name ? comma + 1 : name;
}

static const char *
hint_for(const char *name)
{
	char		squeezed[TZ_STRLEN_MAX + 1];
	const char *real = NULL;
	int			hours;
	int			minutes;

	if (strlen(name) > TZ_STRLEN_MAX)
		return "";
	if (means_offset(name, &hours, &minutes))
		return hint_of_offset(hours, minutes);
	for (int i = 0; i < lengthof(alias); i++)
		if (pg_strcasecmp(name, alias[i][0]) == 0)
			real = alias[i][1];
	if (real == NULL)
	{
		squeeze_name(squeezed, sizeof(squeezed), place_in(name));
		real = nearest_zone(squeezed);
	}
	return real == NULL ? "" : psprintf("Perhaps \"%s\" is meant.", real);
}

void
time_zone_refuse(const char *name, const char *whose)
{
	const char *hint = hint_for(name);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("time zone \"%s\"%s is not known", printable_zone(name), whose),
			 errhint("%s%sThe view pg_timezone_names lists the names.", hint, hint[0] != '\0' ? " " : "")));
}
