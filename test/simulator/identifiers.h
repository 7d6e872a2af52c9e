/*
 * identifiers.h: ids that look like UUIDs and never repeat, and a hash that never changes.
 */
#ifndef SIMULATOR_IDENTIFIERS_H
#define SIMULATOR_IDENTIFIERS_H

#include <stdint.h>

#define IDENTIFIER_SIZE 37		/* 36 characters and the NUL */

/* Call once, before the first identifier. */
extern void identifiers_start(void);

/* Writes a fresh identifier. */
extern void identifier_make(char identifier[IDENTIFIER_SIZE]);

/* The same text has the same hash in every run and on every machine. */
extern uint64_t identifier_hash(const char *text);

#endif
