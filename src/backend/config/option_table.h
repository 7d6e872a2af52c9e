/*
 * option_table.h: the options of CREATE SERVER, each by itself.
 */
#ifndef REENGAGE_OPTION_TABLE_H
#define REENGAGE_OPTION_TABLE_H

#include "decide.h"

#define SENDERS_MAX 32

typedef struct Option Option;

struct Option
{
	const char *name;
	const char *default_value;	/* NULL: none */
	void		(*check) (const Option *option, const char *value);	/* raises what is wrong */
	int			minimum;		/* of numbers */
	int			maximum;
	int			unit;			/* of numbers: 0, GUC_UNIT_MS, GUC_UNIT_S or GUC_UNIT_KB */
};

/* NULL: there is no option of that name. */
extern const Option *option_find(const char *name);

/* Raises what is wrong with a value. */
extern void option_check(const Option *option, const char *value);

/* All of them, for a hint; palloc'd. */
extern const char *option_names(void);

/* The value as a number of the option's unit; raises what is wrong with it. */
extern int	option_number(const Option *option, const char *value);

/*
 * "sms=+1...,whatsapp=...": into "senders", which has room for SENDERS_MAX, all
 * in "copy".  Their number; -1: it is no such list.
 */
extern int	option_senders(char *copy, Sender *senders);

#endif
