/*
 * contact.h: what in a text may be a customer's address.
 */
#ifndef COURIER_CONTACT_H
#define COURIER_CONTACT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Marks what may be a customer's address, however it is escaped: numbers of 7
 * digits or more, with punctuation between them, but no dates as ISO 8601 has
 * them and no IPv4 addresses; and e-mail addresses.
 */
extern void contact_mark(const char *said, size_t length, bool *marks);

#endif
