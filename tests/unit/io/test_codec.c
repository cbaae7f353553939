#include "../unit.h"
#include "packers.h"
#include "streams.h"

#include "base/buf.h"
#include "io/codec.h"
#include "io/decoder.h"

typedef int opener(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);

static int open_detected(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	return nc_reader_decoded(upstream, NULL, ret, err);
}

/* Every decoder by its own door and by detection. */
static const struct {
	enum nc_codec codec;
	opener *open;
	struct bytes (*pack)(struct bytes plain);
} formats[] = {
	{ NC_GZIP, nc_reader_gunzip, pack_gzip },
	{ NC_GZIP, nc_reader_gunzip_zlib, pack_gzip },
	{ NC_ZSTD, nc_reader_unzstd, pack_zstd },
	{ NC_XZ, nc_reader_unxz, pack_xz },
	{ NC_BZIP2, nc_reader_unbzip2, pack_bzip2 },
	{ NC_GZIP, open_detected, pack_gzip },
	{ NC_ZSTD, open_detected, pack_zstd },
	{ NC_XZ, open_detected, pack_xz },
	{ NC_BZIP2, open_detected, pack_bzip2 },
};
#define FORMATS (sizeof formats / sizeof *formats)

/* Decodes packed, cut into blocks of at most max bytes. The output is compared with plain as far as it comes. */
static int decode(opener *open, struct bytes packed, size_t max, struct bytes plain, size_t *ret_len,
		  struct nacre_error *err)
{
	int closed = 0;
	struct nc_reader *reader = NULL;
	memset(err, 0, sizeof *err);
	assert_int_equal(open(choppy_new(packed.data, packed.len, max, 0, &closed), &reader, err), 0);
	const void *block;
	ssize_t n;
	size_t at = 0;
	while ((n = nc_reader_next(reader, &block, err)) > 0) {
		if ((size_t)n > plain.len - at || memcmp(block, plain.data + at, (size_t)n) != 0)
			fail_msg("wrong bytes after %zu", at);
		at += (size_t)n;
	}
	struct nacre_error again = { 0 };
	assert_int_equal(nc_reader_next(reader, &block, &again), n);
	assert_string_equal(again.msg, err->msg);
	nc_reader_close(reader);
	assert_int_equal(closed, 1);
	*ret_len = at;
	return (int)n;
}

static void decodes_to(opener *open, struct bytes packed, size_t max, struct bytes plain)
{
	struct nacre_error err;
	size_t len;
	int code = decode(open, packed, max, plain, &len, &err);
	if (code < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(len, plain.len);
}

static void fails_with(opener *open, struct bytes packed, struct bytes plain, int code, const char *msg)
{
	static const size_t cuts[] = { 1, 5, 100000 };
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct nacre_error err;
		size_t len;
		assert_int_equal(decode(open, packed, cuts[i], plain, &len, &err), code);
		assert_string_equal(err.msg, msg);
	}
}

/* --- detection -------------------------------------------------------------------------------------------------- */

static void detection(void **state)
{
	static const struct {
		enum nc_codec codec;
		size_t len;
		const char *bytes;
	} cases[] = {
		{ NC_PLAIN, 0, "" },
		{ NC_PLAIN, 1, "\x1f" },
		{ NC_PLAIN, 2, "\x1f\x8b" },
		{ NC_GZIP, 3, "\x1f\x8b\x08" },
		{ NC_PLAIN, 18, "\x1f\x8b\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
		{ NC_PLAIN, 3, "\x28\xb5\x2f" },
		{ NC_ZSTD, 4, "\x28\xb5\x2f\xfd" },
		{ NC_ZSTD, 4, "\x50\x2a\x4d\x18" },
		{ NC_ZSTD, 4, "\x5f\x2a\x4d\x18" },
		{ NC_PLAIN, 4, "\x60\x2a\x4d\x18" },
		{ NC_PLAIN, 4, "\x4f\x2a\x4d\x18" },
		{ NC_PLAIN, 5, "\xfd" "7zXZ" },
		{ NC_XZ, 6, "\xfd" "7zXZ\0" },
		{ NC_PLAIN, 3, "BZh" },
		{ NC_BZIP2, 4, "BZh9" },
		{ NC_BZIP2, 6, "BZh9\x31\x41" },
		{ NC_BZIP2, 10, "BZh1\x31\x41\x59\x26\x53\x59" },
		{ NC_BZIP2, 10, "BZh1\x17\x72\x45\x38\x50\x90" },
		{ NC_PLAIN, 10, "BZh0\x31\x41\x59\x26\x53\x59" },
		{ NC_PLAIN, 18, "BZh9/a-file-name\0\0" },
		{ NC_PLAIN, 18, "etc/passwd\0\0\0\0\0\0\0\0" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(nc_codec_of(cases[i].bytes, cases[i].len), cases[i].codec);
	assert_string_equal(nc_codec_name(NC_PLAIN), "plain");
	assert_string_equal(nc_codec_name(NC_GZIP), "gzip");
	assert_string_equal(nc_codec_name(NC_ZSTD), "zstd");
	assert_string_equal(nc_codec_name(NC_XZ), "xz");
	assert_string_equal(nc_codec_name(NC_BZIP2), "bzip2");
	assert_string_equal(nc_codec_name(77), "unknown");
}

static void detects_whatever_the_cut(void **state)
{
	struct bytes plain = make_plain(1000, 1);
	for (size_t i = 0; i < FORMATS; i++) {
		struct bytes packed = formats[i].pack(plain);
		for (size_t max = 1; max < 24; max++) {
			struct nacre_error err;
			enum nc_codec codec = NC_PLAIN;
			struct nc_reader *reader = choppy_new(packed.data, packed.len, max, 0, NULL);
			assert_done(nc_reader_decoded(reader, &codec, &reader, &err));
			assert_int_equal(codec, formats[i].codec);
			nc_reader_close(reader);
			decodes_to(open_detected, packed, max, plain);
		}
		free(packed.data);
	}
	/* what is not compressed passes unchanged, and only one layer of compression is undone */
	for (size_t len = 0; len < 40; len++)
		for (size_t max = 1; max < 24; max++)
			decodes_to(open_detected, (struct bytes){ plain.data, len }, max,
				   (struct bytes){ plain.data, len });
	struct bytes once = pack_gzip(plain), twice = pack_gzip(once);
	decodes_to(open_detected, twice, 10, once);
	free(once.data);
	free(twice.data);
	free(plain.data);
}

/* --- every format ----------------------------------------------------------------------------------------------- */

static void sizes_and_cuts(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 127, 4096, 131071, 131072, 131073, 262144, 700001 };
	static const size_t cuts[] = { 1, 2, 13, 1000, 40000, 1000000 };
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		struct bytes plain = make_plain(sizes[s], (unsigned)s);
		for (size_t i = 0; i < FORMATS; i++) {
			struct bytes packed = formats[i].pack(plain);
			for (size_t c = sizes[s] > 5000 ? 3 : 0; c < sizeof cuts / sizeof *cuts; c++)
				decodes_to(formats[i].open, packed, cuts[c], plain);
			free(packed.data);
		}
		free(plain.data);
	}
}

/* Output much larger than input: the engine holds back more than a block at a time. */
static void expansion(void **state)
{
	struct bytes plain = { calloc(1, 5000000), 5000000 };
	for (size_t i = 0; i < FORMATS; i++) {
		struct bytes packed = formats[i].pack(plain);
		assert_true(packed.len < 20000);
		decodes_to(formats[i].open, packed, 1, plain);
		decodes_to(formats[i].open, packed, 100000, plain);
		free(packed.data);
	}
	free(plain.data);
}

static void every_truncation(void **state)
{
	struct bytes plain = make_plain(700, 3);
	for (size_t i = 0; i < FORMATS; i++) {
		struct bytes packed = formats[i].pack(plain);
		bool detected = formats[i].open == open_detected;
		for (size_t len = detected ? 10 : 0; len < packed.len; len++) {
			struct nacre_error err;
			char want[100];
			snprintf(want, sizeof want, "the %s stream ends early, after %zu bytes",
				 nc_codec_name(formats[i].codec), len);
			size_t got;
			for (size_t max = 1; max < 1000; max += 499) {
				assert_int_equal(decode(formats[i].open, (struct bytes){ packed.data, len }, max,
							plain, &got, &err), NACRE_E_BADDATA);
				assert_string_equal(err.msg, want);
			}
		}
		free(packed.data);
	}
	free(plain.data);
}

/* Two streams in one, cut off everywhere: right at the end of the first, and nowhere else before the end of both. */
static void several_streams(void **state)
{
	struct bytes one = make_plain(300, 4), two = make_plain(200, 5);
	struct bytes plain = bytes_of(one.data, one.len);
	bytes_put(&plain, two.data, two.len);
	for (size_t i = 0; i < FORMATS; i++) {
		struct bytes packed = formats[i].pack(one);
		size_t first = packed.len;
		bytes_add(&packed, formats[i].pack(two));
		for (size_t len = first - 9; len <= packed.len; len++) {
			struct nacre_error err;
			size_t got;
			int code = decode(formats[i].open, (struct bytes){ packed.data, len }, 7, plain, &got, &err);
			bool whole = len == first || len == packed.len;
			assert_int_equal(code, whole ? 0 : NACRE_E_BADDATA);
			if (whole)
				assert_int_equal(got, len == first ? one.len : plain.len);
		}
		free(packed.data);
	}
	free(one.data);
	free(two.data);
	free(plain.data);
}

/* No change of a bit may give other bytes. */
static void every_byte_damaged(void **state)
{
	struct bytes plain = make_plain(400, 6);
	for (size_t i = 0; i < FORMATS; i++) {
		struct bytes packed = formats[i].pack(plain);
		size_t unnoticed = 0;
		for (size_t bit = 0; bit < packed.len * 8; bit++) {
			packed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
			int closed = 0;
			struct nacre_error err;
			struct nc_reader *reader = choppy_new(packed.data, packed.len, 64, 0, &closed);
			char *got = NULL;
			size_t len = 0;
			if (formats[i].open == open_detected && bit / 8 < 10) {
				nc_reader_close(reader);	/* may be plain then */
			} else if (formats[i].open(reader, &reader, &err) == 0) {
				if (nc_reader_slurp(reader, 1000000, &got, &len, &err) == 0) {
					assert_int_equal(len, plain.len);
					assert_memory_equal(got, plain.data, len);
					unnoticed++;
				}
				nc_reader_close(reader);
			}
			free(got);
			assert_int_equal(closed, 1);
			packed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		/* time, extra flags and system in a gzip header mean nothing to us; the rest is padding bits */
		assert_true(unnoticed <= 56);
		free(packed.data);
	}
	free(plain.data);
}

static void upstream_fails(void **state)
{
	struct bytes plain = make_plain(3000, 7);
	for (size_t i = 0; i < FORMATS; i++) {
		struct bytes packed = formats[i].pack(plain);
		for (size_t len = 0; len < packed.len; len += 17) {
			int closed = 0;
			struct nacre_error err = { 0 };
			struct nc_reader *reader = choppy_new(packed.data, len, 50, NACRE_E_REMOTE, &closed);
			int code = formats[i].open(reader, &reader, &err);
			if (code == 0) {
				code = nc_reader_drain(reader, &err);
				nc_reader_close(reader);
			}
			assert_int_equal(code, NACRE_E_REMOTE);
			assert_string_equal(err.msg, "upstream failed");
			assert_int_equal(closed, 1);
		}
		free(packed.data);
	}
	free(plain.data);
}

/* --- gzip ------------------------------------------------------------------------------------------------------- */

static opener *const gunzippers[] = { nc_reader_gunzip, nc_reader_gunzip_zlib };

static void gzip_headers(void **state)
{
	struct bytes plain = make_plain(100, 8);
	Bytef extra[] = { 'A', 'B', 2, 0, 0, 0 };
	for (int fields = 0; fields < 16; fields++) {
		gz_header header = {
			.time = 1700000000, .os = 3, .hcrc = fields & 1,
			.extra = fields & 2 ? extra : NULL, .extra_len = sizeof extra,
			.name = fields & 4 ? (Bytef *)"layer.tar" : NULL,
			.comment = fields & 8 ? (Bytef *)"of an image" : NULL,
		};
		struct bytes packed = pack_gzip_with(plain, 9, Z_DEFAULT_STRATEGY, &header);
		for (int e = 0; e < 2; e++) {
			for (size_t max = 1; max < 40; max += 3)
				decodes_to(gunzippers[e], packed, max, plain);
			for (size_t len = 0; len < packed.len; len++) {
				struct nacre_error err;
				size_t got;
				assert_int_equal(decode(gunzippers[e], (struct bytes){ packed.data, len }, 3, plain,
							&got, &err), NACRE_E_BADDATA);
			}
			if (fields == 13) {	/* the checksum of the header covers the name */
				packed.data[12] ^= 1;
				fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA,
					   "the checksum of a gzip header does not fit");
				packed.data[12] ^= 1;
			}
		}
		free(packed.data);
	}
	free(plain.data);
}

static void gzip_tails(void **state)
{
	struct bytes plain = make_plain(100, 9);
	for (int e = 0; e < 2; e++) {
		struct bytes packed = pack_gzip(plain);
		size_t len = packed.len;
		for (int i = 0; i < 1030; i++)
			bytes_put(&packed, "", 1);
		decodes_to(gunzippers[e], packed, 1, plain);
		decodes_to(gunzippers[e], packed, 5000, plain);
		bytes_put(&packed, "x", 1);
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA,
			   "something other than zeros behind the last gzip member");
		packed.len = len;
		bytes_put(&packed, "\0\x1f\x8b\x08", 4);
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA,
			   "something other than zeros behind the last gzip member");
		packed.len = len;
		bytes_put(&packed, "x", 1);
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA,
			   "something other than zeros behind the last gzip member");
		packed.len = len;
		bytes_put(&packed, "\x1f garbage here", 14);
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA,
			   "something that is not gzip where a member should begin");
		packed.len = len;
		packed.data[len - 5] ^= 1;
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA,
			   "the checksum of a gzip member does not fit");
		packed.data[len - 5] ^= 1;
		packed.data[len - 1] ^= 1;
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA, "the length of a gzip member does not fit");
		packed.data[len - 1] ^= 1;
		packed.data[3] = 0x20;
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA, "gzip member with unknown flags 0x20");
		packed.data[3] = 0;
		packed.data[2] = 7;
		fails_with(gunzippers[e], packed, plain, NACRE_E_BADDATA, "gzip member with the unknown method 7");
		free(packed.data);
	}
	free(plain.data);
}

/* Every way in which zlib writes is read by both engines. */
static void gzip_strategies(void **state)
{
	static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED };
	for (unsigned seed = 0; seed < 3; seed++) {
		struct bytes plain = make_plain(20000 + 90000 * seed, seed);
		for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++) {
			for (int level = 0; level <= 9; level += 3) {
				struct bytes packed = pack_gzip_with(plain, level, strategies[s], NULL);
				for (int e = 0; e < 2; e++) {
					decodes_to(gunzippers[e], packed, 100, plain);
					decodes_to(gunzippers[e], packed, 100000, plain);
				}
				free(packed.data);
			}
		}
		free(plain.data);
	}
}

static struct bytes member_of(const unsigned char *deflated, size_t len, struct bytes plain)
{
	struct bytes packed = bytes_of("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	bytes_put(&packed, deflated, len);
	uint32_t tail[2] = { (uint32_t)crc32(0, plain.data, (uInt)plain.len), (uint32_t)plain.len };
	bytes_put(&packed, tail, sizeof tail);
	return packed;
}

/* Deflate data that compressors rarely or never write. */
static void gzip_odd_blocks(void **state)
{
	static const struct {
		const char *plain;
		size_t len;
		const char *deflated;
	} cases[] = {
		{ "", 2, "\x03\x00" },						/* fixed, empty */
		{ "", 5, "\x01\x00\x00\xff\xff" },				/* stored, empty */
		{ "", 7, "\x00\x00\x00\xff\xff\x03\x00" },			/* both */
		{ "abc", 8, "\x01\x03\x00\xfc\xff" "abc" },			/* stored */
		{ "abc", 13, "\x00\x03\x00\xfc\xff" "abc\x01\x00\x00\xff\xff" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes plain = bytes_of(cases[i].plain, strlen(cases[i].plain));
		struct bytes packed = member_of((const unsigned char *)cases[i].deflated, cases[i].len, plain);
		struct bytes twice = bytes_of(packed.data, packed.len);
		bytes_put(&twice, packed.data, packed.len);
		struct bytes plain_twice = bytes_of(plain.data, plain.len);
		bytes_put(&plain_twice, plain.data, plain.len);
		for (int e = 0; e < 2; e++)
			for (size_t max = 1; max < 50; max++) {
				decodes_to(gunzippers[e], packed, max, plain);
				decodes_to(gunzippers[e], twice, max, plain_twice);
			}
		free(packed.data);
		free(plain.data);
		free(twice.data);
		free(plain_twice.data);
	}
}

/* Deflate data bit by bit: numbers with their lowest bit first, codes with their highest. */
struct bits {
	unsigned char data[64];
	size_t count;
};

static void put_number(struct bits *bits, unsigned value, int width)
{
	for (int i = 0; i < width; i++, bits->count++)
		bits->data[bits->count / 8] |= (unsigned char)((value >> i & 1) << bits->count % 8);
}

static void put_code(struct bits *bits, unsigned code, int width)
{
	while (width--)
		put_number(bits, code >> width & 1, 1);
}

/* A distance that leads to before the beginning: whatever an engine makes of it, no byte of that may come out. */
static void gzip_distance_too_far(void **state)
{
	struct bits bits = { { 0 }, 0 };
	put_number(&bits, 1, 1);		/* the last block, */
	put_number(&bits, 1, 2);		/* with the fixed codes */
	put_code(&bits, 0x30 + 'a', 8);
	put_code(&bits, 0xc0 + 285 - 280, 8);	/* length 258, */
	put_code(&bits, 4, 5);			/* distance 5 */
	put_number(&bits, 0, 1);
	for (int i = 0; i < 20; i++)
		put_code(&bits, 0x30 + 'b', 8);
	put_code(&bits, 0, 7);
	struct bytes plain = bytes_of("a", 1);
	struct bytes packed = member_of(bits.data, (bits.count + 7) / 8, plain);
	for (int e = 0; e < 2; e++)
		for (size_t max = 1; max < 60; max++) {
			struct nacre_error err;
			size_t len;
			assert_int_equal(decode(gunzippers[e], packed, max, plain, &len, &err), NACRE_E_BADDATA);
			assert_non_null(strstr(err.msg, "the deflate data is damaged"));
		}
	free(packed.data);
	free(plain.data);
}

/* --- zstd ------------------------------------------------------------------------------------------------------- */

static void zstd_frames(void **state)
{
	struct bytes plain = make_plain(500, 10);
	static const char skip[] = "\x53\x2a\x4d\x18\x05\0\0\0hello", empty_skip[] = "\x50\x2a\x4d\x18\0\0\0\0";
	struct bytes packed = bytes_of(skip, 13);
	bytes_put(&packed, empty_skip, 8);
	for (size_t max = 1; max < 30; max++)	/* nothing but skippable frames is nothing */
		decodes_to(open_detected, packed, max, (struct bytes){ plain.data, 0 });
	bytes_add(&packed, pack_zstd(plain));
	bytes_put(&packed, skip, 13);
	for (size_t max = 1; max < 30; max++)
		decodes_to(open_detected, packed, max, plain);
	for (size_t cut = 1; cut < 13; cut++) {
		struct nacre_error err;
		size_t len;
		struct bytes short_of = { packed.data, packed.len - cut };
		assert_int_equal(decode(open_detected, short_of, 5, plain, &len, &err), NACRE_E_BADDATA);
	}
	bytes_put(&packed, "trash", 5);
	fails_with(open_detected, packed, plain, NACRE_E_BADDATA,
		   "something that is not zstd where a frame should begin");
	free(packed.data);
	free(plain.data);
}

/* A frame that says that it has 73 bytes and has none. libzstd notices when it comes in one piece. */
static void zstd_frame_shorter_than_it_says(void **state)
{
	static const char frame[] = "\x28\xb5\x2f\xfd\x20\x49\xd4\0\0\0\x80\0\0\0\0\x2e\0\x28\xb5\x2f\xfd\x20\x49\xd4\0\0\0\x80"
				    "\0\0\0\0\x2e\xfd\x37\x05\0\0";
	const struct bytes packed = { (void *)frame, sizeof frame - 1 }, none = { NULL, 0 };
	for (size_t cut = 1; cut <= packed.len; cut++) {
		struct nacre_error err;
		size_t len;
		assert_int_equal(decode(nc_reader_unzstd, packed, cut, none, &len, &err), NACRE_E_BADDATA);
	}
}

/* Its last block is a compressed one of no bytes. libzstd refuses that where the frame lies there whole, and else does not. */
static void zstd_frame_of_an_empty_compressed_block(void **state)
{
	static const char frame[] = "\x28\xb5\x2f\xfd\x20\0\x05\0\0";
	for (size_t cut = 1; cut < 1000; cut++)
		decodes_to(open_detected, (struct bytes){ (void *)frame, sizeof frame - 1 }, cut, (struct bytes){ (void *)"", 0 });
}

/* libzstd knows the formats of before 1.0 too, which nobody writes any more, by decoders of their own. */
static void zstd_frames_of_old(void **state)
{
	struct bytes plain = make_plain(500, 10);
	for (unsigned char version = 0x1e; version < 0x2c; version++) {
		unsigned char old[] = { version, 0xb5, 0x2f, 0xfd, 0x00, 0x1f, 0x2a, 0x8e, 0x01, 0xd6, 0x00, 0x8a };
		struct bytes packed = pack_zstd(plain);
		bytes_put(&packed, old, sizeof old);
		if (version != 0x28)
			fails_with(nc_reader_unzstd, packed, plain, NACRE_E_BADDATA,
				   "something that is not zstd where a frame should begin");
		free(packed.data);
	}
	free(plain.data);
}

static void zstd_windows(void **state)
{
	struct bytes plain = { malloc(0), 0 };
	/* frame header: no single segment, no checksum; window 2^27; then one empty raw block, the last */
	unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00 };
	struct bytes packed = { frame, sizeof frame };
	decodes_to(open_detected, packed, 1, plain);
	frame[5]++;	/* an eighth more */
	fails_with(open_detected, packed, plain, NACRE_E_LIMIT, "a zstd frame needs a window of more than 128 MiB");
	frame[5] = (31 - 10) << 3;
	fails_with(open_detected, packed, plain, NACRE_E_LIMIT, "a zstd frame needs a window of more than 128 MiB");
	free(plain.data);
}

/* --- xz --------------------------------------------------------------------------------------------------------- */

static void xz_padding_and_memory(void **state)
{
	struct bytes plain = make_plain(500, 11);
	struct bytes packed = pack_xz(plain);
	size_t len = packed.len;
	bytes_put(&packed, "\0\0\0\0", 4);
	decodes_to(open_detected, packed, 1, plain);
	bytes_put(&packed, "\0", 1);
	struct nacre_error err;
	size_t got;
	assert_int_equal(decode(open_detected, packed, 9, plain, &got, &err), NACRE_E_BADDATA);
	packed.len = len;
	bytes_put(&packed, "not xz at all", 13);
	assert_int_equal(decode(open_detected, packed, 9, plain, &got, &err), NACRE_E_BADDATA);
	packed.len = len;
	/* behind the stream header of 12 bytes: size, flags, …, filter 0x21, 1, dictionary, …, crc */
	unsigned char *block = packed.data + 12;
	size_t size = (block[0] + 1u) * 4, at = 2;
	while (block[at] != 0x21 || block[at + 1] != 1)	/* behind the optional sizes */
		at++;
	assert_true(at < size - 4);
	for (int dictionary = 28; dictionary <= 40; dictionary++) {	/* 64 MiB to 4 GiB */
		block[at + 2] = (unsigned char)dictionary;
		uint32_t crc = lzma_crc32(block, size - 4, 0);
		memcpy(block + size - 4, &crc, 4);
		int code = decode(open_detected, packed, 9, plain, &got, &err);
		assert_int_equal(code, dictionary < 30 ? 0 : NACRE_E_LIMIT);
	}
	assert_non_null(strstr(err.msg, "at most 128 are allowed"));
	free(packed.data);
	free(plain.data);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

#define QUICK (-1)

static int open_encoder(struct nc_writer *downstream, enum nc_codec codec, int level, struct nc_writer **ret, struct nacre_error *err)
{
	return level == QUICK ? nc_writer_gzip_quick(downstream, ret, err) : nc_writer_encoded(downstream, codec, level, ret, err);
}

static struct bytes encode(enum nc_codec codec, int level, struct bytes plain, size_t max)
{
	struct nacre_error err;
	struct nc_buf buf = NC_BUF_INIT(10000000);
	struct nc_writer *writer;
	assert_done(nc_writer_buf(&buf, &writer, &err));
	assert_done(open_encoder(writer, codec, level, &writer, &err));
	uint32_t x = (uint32_t)max;
	for (size_t at = 0; at < plain.len;) {
		x = x * 1664525 + 1013904223;
		size_t n = 1 + (x >> 4) % max;
		if (n > plain.len - at)
			n = plain.len - at;
		assert_done(nc_writer_write(writer, plain.data + at, n, &err));
		assert_done(nc_writer_write(writer, NULL, 0, &err));
		at += n;
	}
	assert_done(nc_writer_finish(writer, &err));
	nc_writer_close(writer);
	struct bytes packed = { (unsigned char *)buf.data, buf.len };
	return packed;
}

static void writing(void **state)
{
	static const size_t sizes[] = { 0, 1, 1000, 131071, 131072, 131073, 262144, 800000 };
	static const size_t cuts[] = { 1, 700, 131072, 300000, 1000000 };
	static const struct {
		enum nc_codec codec;
		int level;
	} ways[] = { { NC_PLAIN, 0 }, { NC_GZIP, 0 }, { NC_GZIP, 1 }, { NC_GZIP, 9 }, { NC_GZIP, QUICK }, { NC_ZSTD, 0 }, { NC_ZSTD, 1 },
		     { NC_ZSTD, 10 } };
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		struct bytes plain = make_plain(sizes[s], 12);
		for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
			struct bytes first = encode(ways[w].codec, ways[w].level, plain, 5000);
			assert_int_equal(nc_codec_of(first.data, first.len), ways[w].codec);
			decodes_to(open_detected, first, 10000, plain);
			for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
				struct bytes again = encode(ways[w].codec, ways[w].level, plain, cuts[c]);
				assert_int_equal(again.len, first.len);
				if (first.len)
					assert_memory_equal(again.data, first.data, first.len);
				free(again.data);
			}
			if (ways[w].codec == NC_GZIP)	/* no flags, so no name; no time */
				assert_memory_equal(first.data, "\x1f\x8b\x08\0\0\0\0\0", 8);
			free(first.data);
		}
		struct bytes by_default = encode(NC_GZIP, 0, plain, 100000), six = encode(NC_GZIP, 6, plain, 100000);
		assert_int_equal(by_default.len, six.len);
		assert_memory_equal(by_default.data, six.data, six.len);
		free(by_default.data);
		free(six.data);
		free(plain.data);
	}
}

static int refuse(void *ctx, const void *bytes, size_t len)
{
	int *left = ctx;
	return --*left < 0 ? -1 : 0;
}

static void writing_fails(void **state)
{
	struct nacre_error err;
	struct nc_writer *writer = NULL;
	static const struct {
		enum nc_codec codec;
		int level, code;
	} refused[] = { { NC_XZ, 0, NACRE_E_UNSUPPORTED }, { NC_BZIP2, 0, NACRE_E_UNSUPPORTED },
			{ NC_GZIP, 10, NACRE_E_INVALID }, { NC_GZIP, -1, NACRE_E_INVALID },
			{ NC_ZSTD, 20, NACRE_E_INVALID }, { NC_ZSTD, -1, NACRE_E_INVALID } };
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		assert_done(nc_writer_null(&writer, &err));
		assert_int_equal(nc_writer_encoded(writer, refused[i].codec, refused[i].level, &writer, &err),
				 refused[i].code);
	}
	struct bytes plain = make_plain(3000000, 13);
	static const struct {
		enum nc_codec codec;
		int level;
	} broken[] = { { NC_GZIP, 1 }, { NC_GZIP, QUICK }, { NC_ZSTD, 1 } };
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		for (int writes = 0; writes < 4; writes++) {
			int left = writes;
			assert_done(nc_writer_callback(refuse, &left, &writer, &err));
			assert_done(open_encoder(writer, broken[i].codec, broken[i].level, &writer, &err));
			int code = nc_writer_write(writer, plain.data, plain.len, &err);
			if (code == 0)
				code = nc_writer_finish(writer, &err);
			assert_int_equal(code, NACRE_E_CANCELLED);
			assert_int_equal(nc_writer_write(writer, "x", 1, &err), NACRE_E_CANCELLED);
			nc_writer_close(writer);
		}
	}
	free(plain.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detection),
		cmocka_unit_test(detects_whatever_the_cut),
		cmocka_unit_test(sizes_and_cuts),
		cmocka_unit_test(expansion),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(several_streams),
		cmocka_unit_test(every_byte_damaged),
		cmocka_unit_test(upstream_fails),
		cmocka_unit_test(gzip_headers),
		cmocka_unit_test(gzip_tails),
		cmocka_unit_test(gzip_strategies),
		cmocka_unit_test(gzip_odd_blocks),
		cmocka_unit_test(gzip_distance_too_far),
		cmocka_unit_test(zstd_frames),
		cmocka_unit_test(zstd_frame_shorter_than_it_says),
		cmocka_unit_test(zstd_frame_of_an_empty_compressed_block),
		cmocka_unit_test(zstd_frames_of_old),
		cmocka_unit_test(zstd_windows),
		cmocka_unit_test(xz_padding_and_memory),
		cmocka_unit_test(writing),
		cmocka_unit_test(writing_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
