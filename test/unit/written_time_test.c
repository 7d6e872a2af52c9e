/*
 * written_time_test.c: times as extracts write them.
 */
#include "written_time.h"

#include "tap.h"

#define MS INT64_C(1000)
/* 2026-11-10 00:00 UTC */
#define DAY INT64_C(1794268800000)

static void
reads(const char *text, DateOrder order, int64_t milliseconds)
{
	int64_t		got = -1;

	ok(written_time_read(text, order, &got), "\"%s\" is a time", text);
	is_number(got, milliseconds * MS, "which it says");
}

static void
refuses(const char *text, DateOrder order)
{
	int64_t		got;

	ok(!written_time_read(text, order, &got), "\"%s\" is none for order %d", text, (int) order);
}

static void
test_beyond_doubt(void)
{
	static const char *const at_midnight[] = {
		"2026-11-10", "2026/11/10", "2026.11.10", "20261110", "2026-11-10 00:00", "2026-11-10T00:00Z", "20261110T000000Z",
		"20261110000000", "2026-11-10 00:00:00.000000000", "2026-11-10 05:30:00+0530", "2026-11-10T05:30+05:30", "2026-11-09 16:00:00 -08",
		"2026-11-09 16:00:00.000 -0800", "2026-11-10 02:00 UTC+2", "2026-11-10 02:00 GMT+0200", "2026-11-10 00:00 utc", "2026-11-09 24:00",
		"2026-11-10 12:00 AM", "2026-11-9 12:00am -12", "10-Nov-2026", "10 November 2026", "Tue, 10 Nov 2026 00:00:00 +0000",
		"Mon, 09 Nov 2026 16:00:00 -0800", "1794268800000", "2026-11-10 01:00+1", "2026-11-10 00:00:00,0"
	};

	for (size_t i = 0; i < sizeof(at_midnight) / sizeof(at_midnight[0]); i++)
		for (int order = DATE_ORDER_UNKNOWN; order <= DATE_ORDER_YMD; order++)
			reads(at_midnight[i], (DateOrder) order, strcmp(at_midnight[i], "2026-11-9 12:00am -12") == 0 ? DAY - 12 * 3600000 : DAY);
	reads("2026-11-10 21:05:09.125", DATE_ORDER_UNKNOWN, DAY + ((21 * 60 + 5) * 60 + 9) * MS + 125);
	reads("2024-02-29", DATE_ORDER_UNKNOWN, INT64_C(1709164800000));
	reads("1970-01-01", DATE_ORDER_UNKNOWN, 0);
	reads("9999-12-31", DATE_ORDER_UNKNOWN, INT64_C(253402214400000));
}

static void
test_order(void)
{
	reads("11/10/26 9:05", DATE_ORDER_MDY, DAY + (9 * 60 + 5) * 60 * MS);
	reads("10/11/26", DATE_ORDER_DMY, DAY);
	reads("10.11.2026 00:00:00", DATE_ORDER_DMY, DAY);
	reads("11-10-2026 12:00 AM", DATE_ORDER_MDY, DAY);
	reads("26/11/10", DATE_ORDER_YMD, DAY);
	reads("1/1/70", DATE_ORDER_DMY, 0);
	refuses("11/10/26", DATE_ORDER_UNKNOWN);
	refuses("11/10/2026", DATE_ORDER_UNKNOWN);
	refuses("10.11.26", DATE_ORDER_UNKNOWN);
	refuses("26-11-10", DATE_ORDER_UNKNOWN);
	refuses("31/12/2026", DATE_ORDER_MDY);
	refuses("12/31/2026", DATE_ORDER_DMY);
	refuses("11/10/2026", DATE_ORDER_YMD);
	refuses("6/11/10", DATE_ORDER_YMD);
}

static void
test_none(void)
{
	static const char *const none[] = {
		"", " ", "now", "infinity", "yesterday", "2026-02-29", "2026-13-01", "2026-00-10", "2026-11-00", "2026-11", "2026-11-31", "0026-11-10",
		"1969-12-31", "12026-11-10", "2026-11-10 25:00", "2026-11-10 24:01", "2026-11-10 10:60", "2026-11-10 10:00:61", "2026-11-10 10", "2026-11-10 10:",
		"2026-11-10 10:00 PST", "2026-11-10 10:00 Europe/Berlin", "2026-11-10 10:00+16", "2026-11-10 10:00+05:60", "2026-11-10 10:00+123", "2026-11-10 10:00 +",
		"2026-11-10 13:00 PM", "2026-11-10 10:00 today", "2026-11-10x", "2026-11/10", "2026_11_10", "10-Nov-26", "10-Nom-2026", "10112026", "1794268800",
		"2794268800000", "17942688000000", "2026-11-10T10:00:00Z junk", "2026111", "2026-11-10 00:00:00.", "-2026-11-10", "Nov"
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		refuses(none[i], DATE_ORDER_UNKNOWN);
}

static void
test_orders(void)
{
	DateOrder	order = DATE_ORDER_UNKNOWN;

	ok(date_order_read("DMY", &order) && order == DATE_ORDER_DMY, "dmy");
	ok(date_order_read("mdy", &order) && order == DATE_ORDER_MDY, "mdy");
	ok(date_order_read("ymd", &order) && order == DATE_ORDER_YMD, "ymd");
	ok(!date_order_read("dym", &order) && !date_order_read("", &order), "and no other");
}

int
main(void)
{
	test_beyond_doubt();
	test_order();
	test_none();
	test_orders();
	return done_testing();
}
