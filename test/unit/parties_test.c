/*
 * parties_test.c: when a conversation that is found is joined.
 */
#include "parties.h"

#include <stddef.h>

#include "tap.h"

#define ANN "+442079460018"
#define BANK "+442079469001"
#define SHOP "+442079469002"

static const struct
{
	const char *name;
	Parties		found;
	Parties		dead;
	Parties		planned;
	bool		same;
}			cases[] = {
	{"the same pair", {"sms", ANN, BANK}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, true},
	{"the same pair, spelled otherwise", {"sms", "0044 20 7946 0018", "tel:" BANK}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, true},
	{"an id of WhatsApp", {"whatsapp", "442079460018", "442079469001"}, {"whatsapp", ANN, BANK}, {"whatsapp", ANN, BANK}, true},
	{"another customer", {"sms", "+442079460019", BANK}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, false},
	{"another business side", {"sms", ANN, SHOP}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, false},
	{"another channel", {"whatsapp", ANN, BANK}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, false},
	{"a channel that is not told", {NULL, ANN, BANK}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, true},
	{"ids differ by a dash", {"open", "1-23", "s"}, {"open", "12-3", "s"}, {"open", "12-3", "s"}, false},
	{"ids differ by case", {"open", "Ab", "s"}, {"open", "ab", "s"}, {"open", "ab", "s"}, false},
	{"it does not tell its customer", {"sms", NULL, BANK}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, false},
	{"it does not tell its business side", {"sms", ANN, NULL}, {"sms", ANN, BANK}, {"sms", ANN, BANK}, false},
	{"neither told a business side", {"sms", ANN, NULL}, {"sms", ANN, NULL}, {"sms", ANN, NULL}, true},
	{"the sender is ours", {"sms", ANN, BANK}, {NULL, NULL, NULL}, {"sms", ANN, BANK}, true},
	{"the sender is not ours", {"sms", ANN, SHOP}, {NULL, NULL, NULL}, {"sms", ANN, BANK}, false},
	{"the API never tells, and we have a sender", {"sms", ANN, NULL}, {NULL, NULL, NULL}, {"sms", ANN, BANK}, true},
	{"the API chooses the sender", {"sms", ANN, SHOP}, {NULL, NULL, NULL}, {"sms", ANN, NULL}, true},
	{"no customer is told anywhere", {"sms", NULL, BANK}, {"sms", NULL, BANK}, {"sms", ANN, BANK}, true},
	{"a sender that overrules: joined by the new one", {"sms", ANN, SHOP}, {"sms", ANN, BANK}, {"sms", ANN, SHOP}, true},
	{"and by the old one", {"sms", ANN, BANK}, {"sms", ANN, BANK}, {"sms", ANN, SHOP}, true},
	{"the old business side was one on another channel", {"sms", ANN, SHOP}, {"webchat", "guest", "widget"}, {"sms", ANN, SHOP}, true},
	{"numbers that are none are compared as they are", {"sms", "guest", "72345"}, {"sms", "guest", "72345"}, {"sms", "guest", "72345"}, true},
	{"and differ as they are", {"sms", "guest", "72345"}, {"sms", "guest", "72346"}, {"sms", "guest", "72346"}, false},
};

int
main(void)
{
	Parties		national = {"sms", "020 7946 0018", "020 7946 9001"};
	Parties		full = {"sms", ANN, BANK};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(parties_are_same(&cases[i].found, &cases[i].dead, &cases[i].planned, NULL) == cases[i].same, "%s", cases[i].name);
	ok(parties_are_same(&national, &full, &full, "44"), "national numbers, where the country is known");
	ok(!parties_are_same(&national, &full, &full, NULL), "and where it is not");
	return done_testing();
}
