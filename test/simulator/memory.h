/*
 * memory.h: what becomes of a failed allocation.
 */
#ifndef SIMULATOR_MEMORY_H
#define SIMULATOR_MEMORY_H

/* Returns what malloc returned. Out of memory, a simulator that went on would only mislead. */
extern void *allocated(void *memory);

#endif
