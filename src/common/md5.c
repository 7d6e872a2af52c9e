/*
 * md5.c: MD5, block by block.
 */
#include "md5.h"

#include <string.h>

#define BLOCK_SIZE 64
/* The last eight bytes of the last block are how many bits there were. */
#define LENGTH_AT (BLOCK_SIZE - 8)

/* The integer part of 2^32 * abs(sin(i + 1)). */
static const uint32_t constants[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static inline uint32_t
rotated_left(uint32_t word, int bits)
{
	return word << bits | word >> (32 - bits);
}

static inline uint32_t
read_word(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

/* One step: "a" takes in a word, and the four change places. */
#define STEP(mix, a, b, c, d, word, i, bits) \
	a = b + rotated_left(a + (mix) + words[word] + constants[i], bits)

#define FOUR_STEPS(MIX, first, word_of, s0, s1, s2, s3) \
	do { \
		STEP(MIX(b, c, d), a, b, c, d, word_of(first), first, s0); \
		STEP(MIX(a, b, c), d, a, b, c, word_of((first) + 1), (first) + 1, s1); \
		STEP(MIX(d, a, b), c, d, a, b, word_of((first) + 2), (first) + 2, s2); \
		STEP(MIX(c, d, a), b, c, d, a, word_of((first) + 3), (first) + 3, s3); \
	} while (0)

#define ROUND(MIX, first, word_of, s0, s1, s2, s3) \
	do { \
		FOUR_STEPS(MIX, first, word_of, s0, s1, s2, s3); \
		FOUR_STEPS(MIX, (first) + 4, word_of, s0, s1, s2, s3); \
		FOUR_STEPS(MIX, (first) + 8, word_of, s0, s1, s2, s3); \
		FOUR_STEPS(MIX, (first) + 12, word_of, s0, s1, s2, s3); \
	} while (0)

#define MIX_F(x, y, z) (((x) & (y)) | (~(x) & (z)))
#define MIX_G(x, y, z) (((x) & (z)) | ((y) & ~(z)))
#define MIX_H(x, y, z) ((x) ^ (y) ^ (z))
#define MIX_I(x, y, z) ((y) ^ ((x) | ~(z)))

#define WORD_F(i) ((i) % 16)
#define WORD_G(i) ((5 * (i) + 1) % 16)
#define WORD_H(i) ((3 * (i) + 5) % 16)
#define WORD_I(i) ((7 * (i)) % 16)

static void
take_block(uint32_t state[4], const unsigned char *block)
{
	uint32_t	words[16];
	uint32_t	a = state[0];
	uint32_t	b = state[1];
	uint32_t	c = state[2];
	uint32_t	d = state[3];

	for (int i = 0; i < 16; i++)
		words[i] = read_word(block + 4 * i);
	ROUND(MIX_F, 0, WORD_F, 7, 12, 17, 22);
	ROUND(MIX_G, 16, WORD_G, 5, 9, 14, 20);
	ROUND(MIX_H, 32, WORD_H, 4, 11, 16, 23);
	ROUND(MIX_I, 48, WORD_I, 6, 10, 15, 21);
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

void
md5_of(const void *bytes, size_t length, unsigned char digest[MD5_SIZE])
{
	uint32_t	state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	unsigned char last[2 * BLOCK_SIZE] = {0};
	const unsigned char *from = bytes;
	size_t		left = length;
	size_t		last_size;

	for (; left >= BLOCK_SIZE; left -= BLOCK_SIZE, from += BLOCK_SIZE)
		take_block(state, from);
	if (left > 0)
		memcpy(last, from, left);
	last[left] = 0x80;
	last_size = left < LENGTH_AT ? BLOCK_SIZE : 2 * BLOCK_SIZE;
	for (int i = 0; i < 8; i++)
		last[last_size - 8 + i] = (unsigned char) ((uint64_t) length * 8 >> 8 * i);
	for (size_t at = 0; at < last_size; at += BLOCK_SIZE)
		take_block(state, last + at);
	for (int i = 0; i < MD5_SIZE; i++)
		digest[i] = (unsigned char) (state[i / 4] >> 8 * (i % 4));
}

uint64_t
md5_low_bits(const unsigned char digest[MD5_SIZE], int bits)
{
	uint64_t	low = 0;

	for (int i = MD5_SIZE - 8; i < MD5_SIZE; i++)
		low = low << 8 | digest[i];
	return bits < 64 ? low & ((UINT64_C(1) << bits) - 1) : low;
}
