/* tar-split: records of everything in a tar that is not file content, and the archive put together again.
 * The format is that of vbatts/tar-split 0.12 (JSON objects, a line each, keys type, name or name_raw, size, payload,
 * position), read as written by any of its releases.
 *
 * For an archive without repetitions and sparse members our record is byte for byte what that library writes. What it
 * cannot express as "the file of that name on disk" (content of sparse members, of names that come again, of members
 * reached through a symbolic link) goes into segments, which every reader of the format understands. */
#ifndef NC_TAR_SPLIT_H
#define NC_TAR_SPLIT_H

#include "io/reader.h"
#include "io/writer.h"

#include <stdbool.h>

/* --- writing ------------------------------------------------------------------------------------------------- */

struct nc_split;

/* out (borrowed) receives the plain JSON lines. */
int nc_split_new(struct nc_writer *out, struct nc_split **ret, struct nacre_error *err);
/* Bytes of framing; consecutive runs become one segment, of at most 1 MiB each. Closing blocks and what trails them are
 * told apart here, since the real library begins a new segment between them. */
int nc_split_framing(struct nc_split *split, const void *bytes, size_t len, struct nacre_error *err);
/* A member follows whose content is the file of that name on disk; its bytes then come through nc_split_content and
 * are only summed up (CRC-64). Members without content are recorded with size 0. */
int nc_split_member(struct nc_split *split, const char *name, size_t name_len, struct nacre_error *err);
int nc_split_content(struct nc_split *split, const void *bytes, size_t len, struct nacre_error *err);
/* Writes out what is pending. An archive of no bytes gives an empty record. */
int nc_split_finish(struct nc_split *split, struct nacre_error *err);
void nc_split_free(struct nc_split *split);
NC_DEFINE_CLEANUP(nc_split_auto, struct nc_split *, nc_split_free)

/* --- reading ------------------------------------------------------------------------------------------------- */

enum nc_split_kind { NC_SPLIT_END, NC_SPLIT_FILE, NC_SPLIT_SEGMENT };

struct nc_split_record {
	const char *name;	/* FILE: bytes, NUL-terminated, as in the archive; lent */
	size_t name_len;
	uint64_t size;		/* FILE */
	uint64_t crc;		/* FILE with size > 0 */
	const void *bytes;	/* SEGMENT; lent */
	size_t len;
};

struct nc_split_reader;

/* upstream (taken) gives the plain JSON. Entries of unknown type are skipped; a record that is cut off in its last
 * line, a wrong type, bad base64, a line over 64 MiB are NACRE_E_CORRUPT. A name that 0.9.4 lost (it holds U+FFFD) is
 * recovered from the header at the end of the segment before. */
int nc_split_reader_new(struct nc_reader *upstream, struct nc_split_reader **ret, struct nacre_error *err);
/* Returns an nc_split_kind or a negative code. */
int nc_split_reader_next(struct nc_split_reader *reader, struct nc_split_record *ret, struct nacre_error *err);
void nc_split_reader_free(struct nc_split_reader *reader);
NC_DEFINE_CLEANUP(nc_split_reader_auto, struct nc_split_reader *, nc_split_reader_free)

/* --- putting together ---------------------------------------------------------------------------------------- */

/* Opens the content of a member for nc_join: gives a reader of its bytes and its size. */
struct nc_join_files {
	int (*open)(void *ctx, const char *name, size_t name_len, struct nc_reader **ret, uint64_t *ret_size,
		    struct nacre_error *err);
	void *ctx;
};

/* Gives a reader of the archive. record (taken) gives the plain JSON; files is copied, its ctx borrowed until the
 * close. The size of each file is compared before a byte of it is delivered, its CRC-64 after the last: a mismatch is
 * NACRE_E_CORRUPT and names the file. */
int nc_join(struct nc_reader *record, const struct nc_join_files *files, struct nc_reader **ret,
	    struct nacre_error *err);

/* Rewrites a record after the fact: for each FILE record asks replaced(ctx, name, …), which returns 0 (keep it), or 1
 * and gives a reader of the bytes that stand for it (NULL: none): those become segments and the FILE record goes.
 * record is taken, out borrowed. */
int nc_split_rewrite(struct nc_reader *record, struct nc_writer *out,
		     int (*replaced)(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes,
				     struct nacre_error *err),
		     void *ctx, struct nacre_error *err);

/* CRC-64 of tar-split: ISO 3309, reflected, all ones before and after. Start with 0, feed in pieces. */
uint64_t nc_crc64(uint64_t crc, const void *bytes, size_t len);

#endif
