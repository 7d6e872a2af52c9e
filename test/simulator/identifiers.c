/*
 * identifiers.c: ids that look like UUIDs and never repeat, and a hash that never changes.
 *
 * An identifier is a random half, drawn once per process so that a restarted
 * simulator does not repeat itself, and a counter.
 */
#include "identifiers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static struct
{
	uint32_t	first;
	uint16_t	second;
	uint16_t	third;
	uint16_t	fourth;
}			process_half;

static uint64_t counter = 0;

void
identifiers_start(void)
{
	if (getrandom(&process_half, sizeof(process_half), 0) != sizeof(process_half))
	{
		perror("getrandom");
		exit(EXIT_FAILURE);
	}
}

void
identifier_make(char identifier[IDENTIFIER_SIZE])
{
	/* The fixed 4 and 8 are the version and variant of a random UUID. */
	snprintf(identifier, IDENTIFIER_SIZE, "%08x-%04x-4%03x-8%03x-%012llx",
			 process_half.first, process_half.second,
			 process_half.third & 0xfffu, process_half.fourth & 0xfffu,
			 (unsigned long long) (++counter & 0xffffffffffffULL));
}

/* FNV-1a, with a final mix because callers look at the low digits. */
uint64_t
identifier_hash(const char *text)
{
	uint64_t	hash = 0xcbf29ce484222325ULL;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char) *text) * 0x100000001b3ULL;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 33);
}
