/*
 * post_columns.h: the columns of a Post, as the member "post" of a struct.
 */
#ifndef REENGAGE_POST_COLUMNS_H
#define REENGAGE_POST_COLUMNS_H

#include "base/rows.h"

/* The hash: TEXT, or HASH. */
#define POST_COLUMNS(row, hash) \
	COLUMN_AS("post_step", STEP, row, post.step), \
	COLUMN_AS("post_conversation_id", TEXT, row, post.conversation_id), \
	COLUMN_AS("post_to_address", UTF8, row, post.recipient.to_address), \
	COLUMN_AS("post_from_address", UTF8, row, post.recipient.from_address), \
	COLUMN_AS("post_channel", TEXT, row, post.recipient.channel), \
	COLUMN_AS("post_address_hash", hash, row, post.address_hash), \
	COLUMN_AS("post_since", TIME, row, post.since)

#endif
