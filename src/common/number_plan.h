/*
 * number_plan.h: what is known of a country's telephone numbers.
 *
 * Only what tells two readings of one spelling apart; whether a number is
 * assigned only the network knows.
 */
#ifndef REENGAGE_NUMBER_PLAN_H
#define REENGAGE_NUMBER_PLAN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct NumberPlan
{
	const char *country_code;	/* 1 to 3 digits */
	const char *trunk;			/* dialled before a national number; "": nothing is */
	bool		needs_trunk;	/* people never leave it out */
	bool		keeps_zero;		/* national numbers may begin with 0 after the country code, too */
	size_t		shortest;		/* digits of a national number, without the trunk prefix */
	size_t		longest;
} NumberPlan;

/* Of the country whose code the digits begin with; NULL: no country has it. */
extern const NumberPlan *number_plan_of(const char *digits);

/* Of this country code; NULL: there is none. */
extern const NumberPlan *number_plan_find(const char *country_code);

#endif
