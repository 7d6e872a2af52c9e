/*
 * detail_length.h: how long a jsonb is as text, without writing it.
 */
#ifndef REENGAGE_DETAIL_LENGTH_H
#define REENGAGE_DETAIL_LENGTH_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * The bytes of value::text.  It stops counting soon after "most", so that it
 * takes no longer for a text of gigabytes, which a few bytes may stand for.
 */
extern Size detail_text_length(Jsonb *value, Size most);

#endif
