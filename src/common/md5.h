/*
 * md5.h: MD5 (RFC 1321), as md5() of SQL has it.
 *
 * Digests of lineage are made of it, since every warehouse has it: a sum that tells
 * whether rows have arrived, nothing that somebody could not forge.  The server's own
 * makes a context for each text, which costs more than the short texts of a row, and
 * is not there where OpenSSL forbids it.
 */
#ifndef REENGAGE_MD5_H
#define REENGAGE_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_SIZE 16

/* The digest of "length" bytes. */
extern void md5_of(const void *bytes, size_t length, unsigned char digest[MD5_SIZE]);

/* Of a digest, as a number that was written in hex, the last "bits", at most 64. */
extern uint64_t md5_low_bits(const unsigned char digest[MD5_SIZE], int bits);

#endif
