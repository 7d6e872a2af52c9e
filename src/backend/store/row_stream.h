/*
 * row_stream.h: the rows of a query, each as it comes, where they are too many to
 * be kept.
 */
#ifndef REENGAGE_ROW_STREAM_H
#define REENGAGE_ROW_STREAM_H

#include "postgres.h"

#include "tcop/dest.h"

/*
 * With the rights of whoever calls it, and what his statement sees.  Of the
 * receiver, what begins and what takes a row is set.
 */
extern void stream_rows(const char *query, DestReceiver *receiver);

#endif
