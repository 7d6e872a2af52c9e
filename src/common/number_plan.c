/*
 * number_plan.c: the table of country codes.
 *
 * From the national numbering plans that ITU-T E.164 lists, as Google's
 * libphonenumber 9.0 collects them: the lengths are those of its fixed lines
 * and mobile telephones, 11 digits at most where only fixed lines have more;
 * "needs_trunk" is what it writes its mobile numbers with, where fixed lines are
 * written so, too.  Germany gives out no number of more than 11 digits, and
 * Poland none of fewer than nine.
 */
#include "number_plan.h"

#include <string.h>

/* In the order of strcmp().  No code is the beginning of another one. */
static const NumberPlan plans[] = {
	/* code, trunk, needs it, keeps 0, lengths; two in a line */
	{"1", "1", false, false, 10, 10}, {"20", "0", true, false, 8, 10},
	{"211", "0", true, false, 9, 9}, {"212", "0", true, false, 9, 9},
	{"213", "0", true, false, 8, 9}, {"216", "", false, false, 8, 8},
	{"218", "0", true, false, 9, 9}, {"220", "", false, false, 7, 9},
	{"221", "", false, false, 9, 9}, {"222", "", false, false, 8, 8},
	{"223", "", false, false, 8, 8}, {"224", "", false, false, 8, 9},
	{"225", "", false, true, 10, 10}, {"226", "", false, true, 8, 8},
	{"227", "", false, false, 8, 8}, {"228", "", false, false, 8, 8},
	{"229", "", false, true, 10, 10}, {"230", "", false, false, 7, 8},
	{"231", "0", true, false, 7, 9}, {"232", "0", true, false, 8, 8},
	{"233", "0", true, false, 9, 9}, {"234", "0", true, false, 10, 10},
	{"235", "", false, false, 8, 8}, {"236", "", false, false, 8, 8},
	{"237", "", false, false, 9, 9}, {"238", "", false, false, 7, 7},
	{"239", "", false, false, 7, 7}, {"240", "", false, false, 9, 9},
	{"241", "", false, true, 7, 8}, {"242", "", false, true, 9, 9},
	{"243", "0", true, false, 7, 10}, {"244", "", false, false, 9, 9},
	{"245", "", false, false, 9, 9}, {"246", "", false, false, 7, 7},
	{"247", "", false, false, 5, 5}, {"248", "", false, false, 7, 7},
	{"249", "0", true, false, 9, 9}, {"250", "0", true, true, 8, 9},
	{"251", "0", true, false, 9, 9}, {"252", "0", false, false, 6, 9},
	{"253", "", false, false, 8, 8}, {"254", "0", true, false, 7, 9},
	{"255", "0", true, false, 9, 9}, {"256", "0", true, false, 9, 9},
	{"257", "", false, false, 8, 8}, {"258", "", false, false, 8, 9},
	{"260", "0", true, false, 9, 9}, {"261", "0", true, false, 9, 9},
	{"262", "0", true, false, 9, 9}, {"263", "0", true, false, 9, 9},
	{"264", "0", true, false, 8, 9}, {"265", "0", true, false, 7, 9},
	{"266", "", false, false, 8, 8}, {"267", "", false, false, 7, 8},
	{"268", "", false, false, 8, 8}, {"269", "", false, false, 7, 7},
	{"27", "0", true, false, 5, 9}, {"290", "", false, false, 4, 5},
	{"291", "0", true, false, 7, 7}, {"297", "", false, false, 7, 7},
	{"298", "", false, false, 6, 6}, {"299", "", false, false, 6, 6},
	{"30", "", false, false, 10, 10}, {"31", "0", true, false, 9, 11},
	{"32", "0", true, false, 8, 9}, {"33", "0", true, false, 9, 9},
	{"34", "", false, false, 9, 9}, {"350", "", false, false, 8, 8},
	{"351", "", false, false, 9, 9}, {"352", "", false, false, 4, 11},
	{"353", "0", true, false, 7, 10}, {"354", "", false, false, 7, 9},
	{"355", "0", true, false, 8, 9}, {"356", "", false, false, 8, 8},
	{"357", "", false, false, 8, 8}, {"358", "0", true, false, 5, 10},
	{"359", "0", true, false, 6, 9}, {"36", "06", true, false, 8, 9},
	{"370", "0", false, false, 8, 8}, {"371", "", false, false, 8, 8},
	{"372", "", false, false, 7, 8}, {"373", "0", true, false, 8, 8},
	{"374", "0", true, false, 8, 8}, {"375", "80", true, false, 9, 9},
	{"376", "", false, false, 6, 9}, {"377", "0", false, false, 8, 9},
	{"378", "", false, true, 8, 10}, {"380", "0", true, false, 9, 9},
	{"381", "0", true, false, 7, 11}, {"382", "0", true, false, 8, 8},
	{"383", "0", true, false, 8, 11}, {"385", "0", true, false, 8, 9},
	{"386", "0", true, false, 8, 8}, {"387", "0", true, false, 8, 9},
	{"389", "0", true, false, 8, 8}, {"39", "", false, true, 6, 11},
	{"40", "0", true, false, 6, 9}, {"41", "0", true, false, 9, 9},
	{"420", "", false, false, 9, 9}, {"421", "0", true, false, 6, 9},
	{"423", "0", false, false, 7, 9}, {"43", "0", true, false, 4, 13},
	{"44", "0", true, false, 9, 10}, {"45", "", false, false, 8, 8},
	{"46", "0", true, false, 7, 9}, {"47", "", false, false, 8, 8},
	{"48", "", false, false, 9, 9}, {"49", "0", true, false, 5, 11},
	{"500", "", false, false, 5, 5}, {"501", "", false, false, 7, 7},
	{"502", "", false, false, 8, 8}, {"503", "", false, false, 8, 8},
	{"504", "", false, false, 8, 8}, {"505", "", false, false, 8, 8},
	{"506", "", false, false, 8, 8}, {"507", "", false, false, 7, 8},
	{"508", "0", true, false, 6, 9}, {"509", "", false, false, 8, 8},
	{"51", "0", false, false, 8, 9}, {"52", "", false, false, 10, 10},
	{"53", "0", true, false, 6, 10}, {"54", "0", true, false, 10, 11},
	{"55", "0", false, false, 10, 11}, {"56", "", false, false, 9, 9},
	{"57", "0", false, false, 8, 10}, {"58", "0", true, false, 10, 10},
	{"590", "0", true, false, 9, 9}, {"591", "0", false, false, 8, 8},
	{"592", "", false, false, 7, 7}, {"593", "0", true, false, 8, 9},
	{"594", "0", true, false, 9, 9}, {"595", "0", true, false, 7, 9},
	{"596", "0", true, false, 9, 9}, {"597", "", false, false, 6, 7},
	{"598", "0", false, false, 8, 8}, {"599", "", false, false, 7, 8},
	{"60", "0", true, false, 8, 10}, {"61", "0", true, false, 9, 9},
	{"62", "0", true, false, 7, 12}, {"63", "0", true, false, 6, 10},
	{"64", "0", true, false, 8, 10}, {"65", "", false, false, 8, 8},
	{"66", "0", true, false, 8, 9}, {"670", "", false, false, 7, 8},
	{"672", "", false, false, 6, 6}, {"673", "", false, false, 7, 7},
	{"674", "", false, false, 7, 7}, {"675", "", false, false, 7, 8},
	{"676", "", false, false, 5, 7}, {"677", "", false, false, 5, 7},
	{"678", "", false, false, 5, 7}, {"679", "", false, false, 7, 7},
	{"680", "", false, false, 7, 7}, {"681", "", false, false, 6, 6},
	{"682", "", false, false, 5, 5}, {"683", "", false, false, 4, 7},
	{"685", "", false, false, 5, 10}, {"686", "0", false, false, 5, 8},
	{"687", "", false, false, 6, 6}, {"688", "", false, false, 5, 7},
	{"689", "", false, false, 8, 8}, {"690", "", false, false, 4, 7},
	{"691", "", false, false, 7, 7}, {"692", "", false, false, 7, 7},
	{"7", "8", false, false, 10, 10}, {"800", "", false, false, 8, 8},
	{"808", "", false, false, 8, 8}, {"81", "0", true, false, 9, 10},
	{"82", "0", true, false, 5, 10}, {"84", "0", false, false, 9, 10},
	{"850", "0", true, false, 8, 10}, {"852", "", false, false, 8, 8},
	{"853", "", false, false, 8, 8}, {"855", "0", true, false, 8, 9},
	{"856", "0", true, false, 8, 10}, {"86", "0", false, false, 7, 11},
	{"870", "", false, false, 9, 12}, {"878", "", false, false, 12, 12},
	{"880", "0", true, false, 6, 10}, {"881", "", false, true, 9, 10},
	{"882", "", false, false, 7, 12}, {"883", "", false, false, 8, 12},
	{"886", "0", true, false, 8, 9}, {"888", "", false, false, 11, 11},
	{"90", "0", false, false, 10, 10}, {"91", "0", false, false, 10, 10},
	{"92", "0", true, false, 9, 10}, {"93", "0", true, false, 9, 9},
	{"94", "0", true, false, 9, 9}, {"95", "0", true, false, 6, 10},
	{"960", "", false, false, 7, 7}, {"961", "0", false, false, 7, 8},
	{"962", "0", true, false, 8, 9}, {"963", "0", false, false, 8, 9},
	{"964", "0", true, false, 8, 10}, {"965", "", false, false, 8, 8},
	{"966", "0", true, false, 9, 9}, {"967", "0", true, false, 7, 9},
	{"968", "", false, false, 8, 8}, {"970", "0", true, false, 8, 9},
	{"971", "0", true, false, 8, 9}, {"972", "0", true, false, 8, 11},
	{"973", "", false, false, 8, 8}, {"974", "", false, false, 8, 8},
	{"975", "", false, false, 7, 8}, {"976", "0", false, false, 8, 10},
	{"977", "0", false, false, 8, 10}, {"979", "", false, false, 9, 9},
	{"98", "0", true, false, 6, 10}, {"992", "", false, true, 9, 9},
	{"993", "8", true, false, 8, 8}, {"994", "0", true, false, 9, 9},
	{"995", "0", false, false, 9, 9}, {"996", "0", true, false, 9, 9},
	{"998", "", false, false, 9, 9},
};

/* Orders codes by their own length, so that a number finds the code that it begins with. */
static const NumberPlan *
search_code(const char *digits, size_t length)
{
	size_t		low = 0;
	size_t		high = sizeof(plans) / sizeof(plans[0]);

	while (low < high)
	{
		size_t		middle = (low + high) / 2;
		const char *code = plans[middle].country_code;
		size_t		code_length = strlen(code);
		int			order = strncmp(digits, code, code_length);

		if (order == 0 && (length == 0 || length == code_length))
			return &plans[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const NumberPlan *
number_plan_of(const char *digits)
{
	return search_code(digits, 0);
}

const NumberPlan *
number_plan_find(const char *country_code)
{
	return search_code(country_code, strlen(country_code));
}
