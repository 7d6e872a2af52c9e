/*
 * memory.c: what becomes of a failed allocation.
 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

void *
allocated(void *memory)
{
	if (memory == NULL)
	{
		perror("reengage-simulator");
		abort();
	}
	return memory;
}
