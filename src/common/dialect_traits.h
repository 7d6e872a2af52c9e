/*
 * dialect_traits.h: what the APIs can do, and how much they take, by dialect.
 *
 * The worker asks for a trait, never for the name of a dialect.
 */
#ifndef REENGAGE_DIALECT_TRAITS_H
#define REENGAGE_DIALECT_TRAITS_H

#include <stdbool.h>

typedef struct DialectTraits
{
	const char *name;			/* as the option "dialect" has it */
	const char *title;			/* as people call the API */
	const char *proactive_channels; /* that are initiated unless an option says which; comma-separated */
	const char *never_initiates;	/* a channel that no option makes it initiate; NULL: there is none */
	bool		has_regions;	/* which stand for its URLs */
	bool		has_keys;		/* a POST may be made again with the same idempotency key */
	bool		tags_lineage;	/* it can write a thread's root on what a create makes */
	bool		notifies_addresses; /* a notify names an address, not only a conversation */
	int			sms_segments_max;	/* of an SMS; 0: no limit is known */
	int			text_max;		/* of other texts, in characters; 0: likewise */
} DialectTraits;

typedef enum DialectId
{
#define DIALECT(name, ...) DIALECT_##name,
#include "dialect_list.h"
#undef DIALECT
	DIALECT_COUNT
} DialectId;

extern const DialectTraits dialect_traits[DIALECT_COUNT];

/* NULL: there is no dialect of that name. */
extern const DialectTraits *dialect_traits_find(const char *name);

#endif
