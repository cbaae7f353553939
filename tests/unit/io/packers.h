/* Compressed data for tests, made by the libraries themselves and not by what is under test. */
#ifndef NC_TESTS_PACKERS_H
#define NC_TESTS_PACKERS_H

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

struct bytes {
	unsigned char *data;
	size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
	struct bytes copy = { malloc(len ? len : 1), len };
	if (len)
		memcpy(copy.data, data, len);
	return copy;
}

/* Appends the second, freeing it. */
static inline void bytes_add(struct bytes *to, struct bytes more)
{
	to->data = realloc(to->data, to->len + more.len + 1);
	memcpy(to->data + to->len, more.data, more.len);
	to->len += more.len;
	free(more.data);
}

static inline void bytes_put(struct bytes *to, const void *data, size_t len)
{
	bytes_add(to, bytes_of(data, len));
}

/* Text-like bytes: a mixture of repetition and noise that depends on the seed alone. */
static inline struct bytes make_plain(size_t len, unsigned seed)
{
	struct bytes plain = { malloc(len ? len : 1), len };
	uint32_t x = seed * 2654435761u + 1;
	for (size_t i = 0; i < len;) {
		x = x * 1664525 + 1013904223;
		size_t run = 1 + (x >> 24) % 40, back = 1 + (x >> 8) % 40000;
		for (; run && i < len; run--, i++) {
			x = x * 1664525 + 1013904223;
			plain.data[i] = i >= back && (x >> 28) ? plain.data[i - back] : (unsigned char)(x >> 20);
		}
	}
	return plain;
}

static inline struct bytes pack_gzip_with(struct bytes plain, int level, int strategy, gz_header *header)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 31, 8, strategy), Z_OK);
	if (header)
		assert_int_equal(deflateSetHeader(&z, header), Z_OK);
	struct bytes packed = { malloc(plain.len * 2 + 70000), plain.len * 2 + 70000 };
	z.next_in = plain.data;
	z.avail_in = (uInt)plain.len;
	z.next_out = packed.data;
	z.avail_out = (uInt)packed.len;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed.len = z.total_out;
	deflateEnd(&z);
	return packed;
}

static inline struct bytes pack_gzip(struct bytes plain)
{
	return pack_gzip_with(plain, 6, Z_DEFAULT_STRATEGY, NULL);
}

static inline struct bytes pack_zstd(struct bytes plain)
{
	struct bytes packed = { malloc(ZSTD_compressBound(plain.len)), 0 };
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	packed.len = ZSTD_compress2(ctx, packed.data, ZSTD_compressBound(plain.len), plain.data, plain.len);
	assert_false(ZSTD_isError(packed.len));
	ZSTD_freeCCtx(ctx);
	return packed;
}

static inline struct bytes pack_xz(struct bytes plain)
{
	size_t room = lzma_stream_buffer_bound(plain.len);
	struct bytes packed = { malloc(room), 0 };
	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, plain.data, plain.len, packed.data,
						 &packed.len, room), LZMA_OK);
	return packed;
}

static inline struct bytes pack_bzip2(struct bytes plain)
{
	unsigned room = (unsigned)(plain.len + plain.len / 50 + 700);
	struct bytes packed = { malloc(room), 0 };
	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)packed.data, &room, (char *)plain.data, (unsigned)plain.len,
						  1, 0, 0), BZ_OK);
	packed.len = room;
	return packed;
}

#endif
