/*
 * reengage.h: the settings, and the names that several files need.
 */
#ifndef REENGAGE_H
#define REENGAGE_H

/* Settings; the README describes them. */
extern char *reengage_databases;
extern char *reengage_default_server;
extern char *reengage_credentials_file;
extern char *reengage_instance_key;
extern int	reengage_sweep_interval;	/* seconds */
extern int	reengage_on_promotion;

/* What a server does whose instance key was armed on another timeline. */
typedef enum OnPromotion
{
	ON_PROMOTION_CONTINUE,
	ON_PROMOTION_HOLD
} OnPromotion;

#define REENGAGE_EXTENSION "reengage"	/* also of its schema and its wrapper */

#define OPERATOR_ROLE "reengage_operator"

#endif
