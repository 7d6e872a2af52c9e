/*
 * dialect_genesys_cloud.h: what the parts of the dialect "genesys_cloud" share.
 */
#ifndef COURIER_DIALECT_GENESYS_CLOUD_H
#define COURIER_DIALECT_GENESYS_CLOUD_H

#include "dialect.h"
#include "json.h"

/* Fills the reading of a check with the facts of a conversation; "body" may be NULL. */
extern void genesys_cloud_read_check(const JsonObject *body, Reading *reading);

/* What is read of a reply, however long it is; ends with NULL. */
extern const char *const genesys_cloud_wanted[];

#endif
