/*
 * ca_file.h: the certificate authorities of a server's own.
 */
#ifndef COURIER_CA_FILE_H
#define COURIER_CA_FILE_H

#include <stddef.h>

/* The system's own, with all the authorities of the world, have a quarter of that. */
#define CA_FILE_MAX (1024 * 1024)

/*
 * The bytes of the file, allocated.  NULL, with a text for an operator in
 * "complaint": it is not to be read.
 */
extern char *ca_file_read(const char *path, size_t *length, char *complaint, size_t size);

#endif
