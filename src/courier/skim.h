/*
 * skim.h: a long JSON text without what nobody reads.
 */
#ifndef COURIER_SKIM_H
#define COURIER_SKIM_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

/*
 * Appends the object that "text" is, without the members whose names are not
 * among "wanted" (which ends with NULL), at any depth.  False: it is no object,
 * or what is left of it would be a tree of more than some 32 MB.
 */
extern bool skim(const char *text, size_t length, const char *const *wanted, FrameBuffer *kept);

#endif
