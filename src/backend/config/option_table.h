/*
 * option_table.h: the options of CREATE SERVER, each by itself.
 */
#ifndef REENGAGE_OPTION_TABLE_H
#define REENGAGE_OPTION_TABLE_H

#include "config/server_options.h"

#define SENDERS_MAX 32

typedef struct Option Option;

/* As what a value goes into ServerOptions. */
typedef enum OptionKind
{
	OPTION_BY_HAND,				/* options.c knows */
	OPTION_TEXT,				/* const char * */
	OPTION_UTF8,				/* const char *, in UTF-8 */
	OPTION_FLAG,				/* bool */
	OPTION_NUMBER				/* int64_t, in the option's unit */
} OptionKind;

struct Option
{
	const char *name;
	const char *default_value;	/* NULL: none */
	void		(*check) (const Option *option, const char *value);	/* raises what is wrong */
	OptionKind	kind;
	size_t		offset;			/* in ServerOptions */
	int			minimum;		/* of numbers */
	int			maximum;
	int			unit;			/* of numbers: 0, GUC_UNIT_MS, GUC_UNIT_S or GUC_UNIT_KB */
};

/* NULL: there is no option of that name. */
extern const Option *option_find(const char *name);

/* Raises what is wrong with a value. */
extern void option_check(const Option *option, const char *value);

/* Puts the value where it belongs, unless that is done by hand. */
extern void option_store(const Option *option, const char *value, ServerOptions *options);

/* The options from 0 on; NULL: there are no more. */
extern const Option *option_at(int place);

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
