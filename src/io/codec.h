/* Compression: one door for reading whatever comes and for writing gzip and zstd.
 *
 * Reading always looks at the content (RFC 1952, RFC 8878, xz file format 1.1, bzip2), never at a media type.
 * gzip   several members, trailing zeros, FEXTRA, FNAME, FCOMMENT, FHCRC; anything but zeros behind the last member
 *        is NACRE_E_BADDATA; each member's CRC and length are checked. Inflated by ISA-L; zlib is a second engine
 *        inside the same framing, and the two are held against each other: what zlib inflates, ISA-L inflates alike.
 * zstd   several frames, skippable frames; windows beyond 2^27 bytes (128 MiB) are NACRE_E_LIMIT.
 * xz     several streams, stream padding; what would need more than 128 MiB of memory is NACRE_E_LIMIT.
 * bzip2  several streams.
 * A stream that ends early is NACRE_E_BADDATA and the sentence says so; the bytes that were good come first. */
#ifndef NC_IO_CODEC_H
#define NC_IO_CODEC_H

#include "io/reader.h"
#include "io/writer.h"

enum nc_codec { NC_PLAIN, NC_GZIP, NC_ZSTD, NC_XZ, NC_BZIP2 };

/* How many bytes nc_codec_of wants to see; fewer are fine at the end of a stream (empty: plain). A format needs its
 * whole magic number; a skippable frame counts as zstd, whatever follows it. */
#define NC_CODEC_PEEK 18
enum nc_codec nc_codec_of(const void *bytes, size_t len);
const char *nc_codec_name(enum nc_codec codec);	/* "plain", "gzip", … */

/* Takes upstream; gives a reader of the plain bytes. ret_codec (may be NULL) says what was found. One layer of
 * compression is undone, not more. A zero-byte stream is plain. */
int nc_reader_decoded(struct nc_reader *upstream, enum nc_codec *ret_codec, struct nc_reader **ret,
		      struct nacre_error *err);
/* Inflates gzip with zlib only; for tests that hold the two engines against each other. */
int nc_reader_gunzip_zlib(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);

/* Takes downstream; gives a writer that compresses. Deterministic: the same bytes in give the same bytes out,
 * however they were cut; gzip has no name and time 0. level 0 is the codec's default (gzip: zlib 6; zstd: 3), the
 * highest is gzip 9, zstd 19.
 * NC_PLAIN gives downstream back. xz and bzip2 are NACRE_E_UNSUPPORTED. */
int nc_writer_encoded(struct nc_writer *downstream, enum nc_codec codec, int level, struct nc_writer **ret,
		      struct nacre_error *err);
/* gzip by ISA-L, at several times the pace of zlib's level 1. For what stays here: its bytes may be others on another
 * processor. Takes downstream. */
int nc_writer_gzip_quick(struct nc_writer *downstream, struct nc_writer **ret, struct nacre_error *err);

#endif
