#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t nc_base64_encode(const void *bytes, size_t len, char *ret)
{
	const uint8_t *in = bytes;
	char *out = ret;
	for (; len >= 3; len -= 3, in += 3, out += 4) {
		uint32_t n = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		out[0] = alphabet[n >> 18];
		out[1] = alphabet[n >> 12 & 63];
		out[2] = alphabet[n >> 6 & 63];
		out[3] = alphabet[n & 63];
	}
	if (len) {
		uint32_t n = (uint32_t)in[0] << 16 | (len == 2 ? (uint32_t)in[1] << 8 : 0);
		out[0] = alphabet[n >> 18];
		out[1] = alphabet[n >> 12 & 63];
		out[2] = len == 2 ? alphabet[n >> 6 & 63] : '=';
		out[3] = '=';
		out += 4;
	}
	return (size_t)(out - ret);
}

/* Value + 1 of each character; 0 for those outside the alphabet. */
#define RUN8(c, v) [c] = v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7
static const uint8_t values[256] = {
	RUN8('A', 1), RUN8('I', 9), RUN8('Q', 17), ['Y'] = 25, 26,
	RUN8('a', 27), RUN8('i', 35), RUN8('q', 43), ['y'] = 51, 52,
	RUN8('0', 53), ['8'] = 61, 62, ['+'] = 63, ['/'] = 64,
};
#undef RUN8

ssize_t nc_base64_decode(const char *text, size_t len, void *ret)
{
	const uint8_t *in = (const uint8_t *)text;
	uint8_t *out = ret, *start = ret;
	/* Only the last group may be padded, and by at most two. */
	if (len && len % 4 == 0 && in[len - 1] == '=')
		len -= in[len - 2] == '=' ? 2 : 1;
	if (len % 4 == 1)
		return -1;
	for (; len >= 4; len -= 4, in += 4, out += 3) {
		uint8_t a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
		if (!a || !b || !c || !d)
			return -1;
		uint32_t n = (uint32_t)(a - 1) << 18 | (uint32_t)(b - 1) << 12 | (uint32_t)(c - 1) << 6 |
			     (uint32_t)(d - 1);
		out[0] = (uint8_t)(n >> 16);
		out[1] = (uint8_t)(n >> 8);
		out[2] = (uint8_t)n;
	}
	if (len) {
		uint8_t a = values[in[0]], b = values[in[1]], c = len == 3 ? values[in[2]] : 1;
		if (!a || !b || !c)
			return -1;
		uint32_t n = (uint32_t)(a - 1) << 18 | (uint32_t)(b - 1) << 12 | (uint32_t)(c - 1) << 6;
		*out++ = (uint8_t)(n >> 16);
		if (len == 3)
			*out++ = (uint8_t)(n >> 8);
	}
	return out - start;
}
