/*
 * settings.h: what the administrator sets; docs/operations.md describes each.
 */
#ifndef REENGAGE_SETTINGS_H
#define REENGAGE_SETTINGS_H

extern char *reengage_databases;
extern char *reengage_default_server;
extern char *reengage_credentials_file;
extern char *reengage_instance_key;
extern char *reengage_meant_node;	/* name/system identifier/database; empty: none is meant */
extern int	reengage_sweep_interval;	/* seconds */
extern int	reengage_on_promotion;
extern int	reengage_retention; /* minutes; 0: for ever */
extern int	reengage_tombstone_retention;	/* likewise */

/* What a server does whose instance key was armed on another timeline. */
typedef enum OnPromotion
{
	ON_PROMOTION_CONTINUE,
	ON_PROMOTION_HOLD
} OnPromotion;

/* For _PG_init. */
extern void settings_define(void);

#endif
