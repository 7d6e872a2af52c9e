/*
 * quiet_hours_test.c: windows of the week.
 */
#include "quiet_hours.h"

#include "tap.h"

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))
#define AT(day, hour, minute) ((day) * MINUTES_OF_DAY + (hour) * 60 + (minute))

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static int
count_quiet(const QuietHours *hours)
{
	int			count = 0;

	for (int minute = 0; minute < MINUTES_OF_WEEK; minute++)
		count += hours->minutes[minute];
	return count;
}

typedef struct Fine
{
	const char *window;
	int			quiet;			/* minutes in all */
	int			first;			/* a quiet minute after one that is not */
	int			left;			/* from there on */
} Fine;

static const Fine fine[] = {
	{"mon 08:00-09:00", 60, AT(MON, 8, 0), 60},
	{"mon-fri 20:00-08:00", 5 * 720, AT(FRI, 20, 0), 720},
	{"sun 20:00-08:00", 720, AT(SUN, 20, 0), 720},
	{"sat,sun 18:00-10:00", 2 * 960, AT(SUN, 18, 0), 960},
	{"fri-mon 00:00-24:00", 4 * 1440, AT(FRI, 0, 0), 4 * 1440},
	{"daily 23:59-00:00", 7, AT(WED, 23, 59), 1},
	{"daily 00:00-23:59", 7 * 1439, AT(SUN, 0, 0), 1439},
	{"tue,thu-fri,sun 12:30-12:45", 4 * 15, AT(THU, 12, 30), 15},
	{"wed 10:00-09:59", 1439, AT(WED, 10, 0), 1439},
};

static void
test_fine(void)
{
	for (int i = 0; i < COUNT(fine); i++)
	{
		QuietHours	hours = {{false}};
		int			before = (fine[i].first + MINUTES_OF_WEEK - 1) % MINUTES_OF_WEEK;
		int			last = (fine[i].first + fine[i].left - 1) % MINUTES_OF_WEEK;

		is_text(quiet_hours_add(&hours, fine[i].window), NULL, fine[i].window);
		is_number(count_quiet(&hours), fine[i].quiet, "is quiet for so long");
		is_number(quiet_hours_left(&hours, before), 0, "and not before its first minute");
		is_number(quiet_hours_left(&hours, fine[i].first), fine[i].left, "which says how long");
		is_number(quiet_hours_left(&hours, last), 1, "as does its last");
	}
}

static const char *const wrong[][2] = {
	{"", "A day is"}, {"mox 20:00-08:00", "A day is"}, {"monday 20:00-08:00", "A day is"}, {"Mon 20:00-08:00", "A day is"},
	{"mon-xyz 20:00-08:00", "A day is"}, {"mon, 20:00-08:00", "A day is"}, {"20:00-08:00", "A day is"},
	{"mon,mon 20:00-08:00", "It names"}, {"mon-wed,tue 20:00-08:00", "It names"}, {"mon", "It must be"},
	{"daily", "It must be"}, {"mon20:00-08:00", "It must be"}, {"mon 20:00", "It must be"}, {"mon 20:00-08:00 ", "It must be"},
	{"mon 20:00 - 08:00", "It must be"}, {"mon 20:00-08:00-09:00", "It must be"},
	{"mon 24:00-08:00", "A time is"}, {"mon 20:00-24:01", "A time is"}, {"mon 20:60-08:00", "A time is"},
	{"mon 8:00-09:00", "A time is"}, {"mon 08:00-9:00", "A time is"}, {"mon 08.00-09:00", "A time is"},
	{"mon  08:00-09:00", "A time is"}, {"mon -1:00-09:00", "A time is"}, {"mon 99:99-09:00", "A time is"},
	{"mon 08:00-08:00", "It is empty"}, {"daily 00:00-00:00", "It is empty"},
};

static void
test_wrong(void)
{
	for (int i = 0; i < COUNT(wrong); i++)
	{
		QuietHours	hours = {{false}};
		const char *complaint = quiet_hours_add(&hours, wrong[i][0]);

		ok(complaint != NULL && strncmp(complaint, wrong[i][1], strlen(wrong[i][1])) == 0,
		   "\"%s\" is refused: %s", wrong[i][0], complaint != NULL ? complaint : "not at all");
	}
}

static void
test_several(void)
{
	QuietHours	hours = {{false}};
	QuietHours	always = {{false}};

	is_text(quiet_hours_add(&hours, "mon-fri 20:00-08:00"), NULL, "the nights of the week");
	is_text(quiet_hours_add(&hours, "sat,sun 18:00-10:00") != NULL ? "refused" : NULL, NULL,
			"the weekend touches them nowhere but at Monday");
	is_number(quiet_hours_left(&hours, AT(FRI, 20, 0)), 12 * 60, "Friday's night ends on Saturday");
	is_number(quiet_hours_left(&hours, AT(SUN, 18, 0)), 16 * 60, "Sunday's on Monday, at the turn of the week");
	is_text(quiet_hours_add(&hours, "mon 10:00-12:00"), NULL, "a window that begins where another ends");
	is_number(quiet_hours_left(&hours, AT(SUN, 18, 0)), 18 * 60, "is one with it");
	ok(quiet_hours_add(&hours, "tue 11:00-21:00") != NULL, "a window that reaches into another is refused");
	is_text(quiet_hours_add(&always, "daily 00:00-24:00"), NULL, "the whole week");
	is_number(quiet_hours_left(&always, AT(THU, 1, 2)), -1, "has no end");
}

int
main(void)
{
	test_fine();
	test_wrong();
	test_several();
	return done_testing();
}
