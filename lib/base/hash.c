#include "base/hash.h"

#include <pthread.h>
#include <string.h>

#include "base/pack.h"
#include "base/proc.h"

/* --- CRC-32C: by table, or by the CPU's instruction where it has one --- */

static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;
static bool crc_in_cpu;

#if defined(__x86_64__)
/*
 * The instruction takes three cycles and may start every cycle: long input is
 * cut into three lanes that run side by side. crc_skip moves a lane's sum
 * past CRC_LANE zero bytes, so that the next lane's can be added. Three
 * lanes fit a page less a small header.
 */
#define CRC_LANE	1344u
static uint32_t crc_skip[4][256];

static void
crc_skip_setup(void)
{
	uint32_t bit[32], c, i, k, n;

	for (k = 0; k < 32; k++) {
		c = UINT32_C(1) << k;
		for (n = 0; n < CRC_LANE; n++)
			c = crc_table[0][c & 0xff] ^ (c >> 8);
		bit[k] = c;
	}
	for (i = 0; i < 4; i++)
		for (n = 0; n < 256; n++)
			for (k = 0; k < 8; k++)
				if (n >> k & 1)
					crc_skip[i][n] ^= bit[i * 8 + k];
}
#endif

static void
crc_setup(void)
{
	uint32_t c, i, k;

	for (i = 0; i < 256; i++) {
		c = i;
		for (k = 0; k < 8; k++)
			c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++) {
			c = crc_table[k - 1][i];
			crc_table[k][i] = crc_table[0][c & 0xff] ^ (c >> 8);
		}
#if defined(__x86_64__)
	crc_in_cpu = __builtin_cpu_supports("sse4.2");
	if (crc_in_cpu)
		crc_skip_setup();
#endif
}

#if defined(__x86_64__)
static uint32_t
crc_skip_lane(uint32_t c)
{
	return crc_skip[0][c & 0xff] ^ crc_skip[1][c >> 8 & 0xff] ^
	    crc_skip[2][c >> 16 & 0xff] ^ crc_skip[3][c >> 24];
}

__attribute__((target("sse4.2")))
static uint32_t
crc_lanes(uint32_t crc, const unsigned char *p)
{
	uint64_t a = crc, b = 0, c = 0;
	size_t i;

	for (i = 0; i < CRC_LANE; i += 8) {
		a = __builtin_ia32_crc32di(a, get_u64(p + i));
		b = __builtin_ia32_crc32di(b, get_u64(p + CRC_LANE + i));
		c = __builtin_ia32_crc32di(c, get_u64(p + 2 * CRC_LANE + i));
	}
	return crc_skip_lane(crc_skip_lane((uint32_t)a) ^ (uint32_t)b) ^
	    (uint32_t)c;
}

__attribute__((target("sse4.2")))
static uint32_t
crc_by_cpu(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc;

	for (; n >= 3 * CRC_LANE; p += 3 * CRC_LANE, n -= 3 * CRC_LANE)
		c = crc_lanes((uint32_t)c, p);
	for (; n >= 8; p += 8, n -= 8)
		c = __builtin_ia32_crc32di(c, get_u64(p));
	for (; n > 0; p++, n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p);
	return (uint32_t)c;
}
#endif

static uint32_t
crc_by_table(uint32_t c, const unsigned char *p, size_t n)
{
	uint64_t w;

	for (; n >= 8; p += 8, n -= 8) {
		w = get_u64(p) ^ c;
		c = crc_table[7][w & 0xff] ^ crc_table[6][w >> 8 & 0xff] ^
		    crc_table[5][w >> 16 & 0xff] ^
		    crc_table[4][w >> 24 & 0xff] ^
		    crc_table[3][w >> 32 & 0xff] ^
		    crc_table[2][w >> 40 & 0xff] ^
		    crc_table[1][w >> 48 & 0xff] ^ crc_table[0][w >> 56];
	}
	for (; n > 0; p++, n--)
		c = crc_table[0][(c ^ *p) & 0xff] ^ (c >> 8);
	return c;
}

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	(void)pthread_once(&crc_once, crc_setup);
#if defined(__x86_64__)
	if (crc_in_cpu)
		return ~crc_by_cpu(~crc, p, n);
#endif
	return ~crc_by_table(~crc, p, n);
}

/* --- SipHash-2-4 --- */

static uint64_t sip_key[2];
static pthread_once_t sip_once = PTHREAD_ONCE_INIT;

static void
sip_setup(void)
{
	proc_random(sip_key, sizeof(sip_key));
}

static uint64_t
rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1]; v[1] = rotl(v[1], 13) ^ v[0]; v[0] = rotl(v[0], 32);
	v[2] += v[3]; v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3]; v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1]; v[1] = rotl(v[1], 17) ^ v[2]; v[2] = rotl(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t
siphash(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t v[4], last = (uint64_t)n << 56;
	size_t i, left = n;

	(void)pthread_once(&sip_once, sip_setup);
	v[0] = sip_key[0] ^ 0x736f6d6570736575ULL;
	v[1] = sip_key[1] ^ 0x646f72616e646f6dULL;
	v[2] = sip_key[0] ^ 0x6c7967656e657261ULL;
	v[3] = sip_key[1] ^ 0x7465646279746573ULL;
	for (; left >= 8; p += 8, left -= 8)
		sip_word(v, get_u64(p));
	for (i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
