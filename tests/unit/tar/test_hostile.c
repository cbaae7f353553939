/* Archives that lie: each malformed thing with its code and the reason given for it. */
#include "tools.h"

typedef void build_fn(struct made *made);

static void wrong_checksum(struct made *made)
{
	made_header(made, '0', "f", 0);
	made->buf.data[0] = 'g';
}

static void second_header_wrong(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_header(made, '0', "g", 0);
	made->buf.data[513] = 'x';
}

static void text(struct made *made)
{
	for (int i = 0; i < 100; i++)
		made_bytes(made, "no archive at all\n", 18);
}

static void half_a_header(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_bytes(made, "next", 4);
}

static void content_missing(struct made *made)
{
	made_header(made, '0', "f", 1000);
	made_bytes(made, "x", 1);
}

static void foreign_payload_missing(struct made *made)
{
	made_header(made, 'V', "label", 1000);
}

static void size_no_number(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 124, "0000000x000", 12);
}

static void size_negative(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\x00", 12);
}

static void size_beyond_63_bits(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 124, "\x80\0\0\0\x80\0\0\0\0\0\0\0", 12);
}

static void minus_in_octal(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 124, "-0000000001", 12);
}

static void owner_none(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 108, "\x80\0\0\0\xff\xff\xff\xff", 8);
}

static void owner_cut_to_0_by_others(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 108, "\x80\0\0\x01\0\0\0\0", 8);
}

static void group_negative(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 116, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
}

static void mode_no_number(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 100, "rw-r--r--", 8);
}

static void time_beyond_64_bits(struct made *made)
{
	made_header(made, '0', "f", 0);
	made_field(made, 136, "\x80\0\0\x01\0\0\0\0\0\0\0\0", 12);
}

static void device_too_large(struct made *made)
{
	made_header(made, '3', "null", 0);
	made_field(made, 329, "\x80\0\0\x01\0\0\0\0", 8);
}

static void minor_negative(struct made *made)
{
	made_header(made, '4', "sda", 0);
	made_field(made, 337, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
}

static void no_name(struct made *made)
{
	made_header(made, '0', "", 0);
}

static void no_target(struct made *made)
{
	made_header(made, '2', "l", 0);
	made_field(made, 157, "\0\0\0\0\0\0", 6);
}

static void no_name_in_long_name(struct made *made)
{
	made_header(made, 'L', "././@LongLink", 6);
	made_payload(made, "\0name", 6);
	made_header(made, '0', "f", 0);
}

static void long_name_alone(struct made *made)
{
	made_member(made, 'L', "././@LongLink", "name");
}

static void long_name_before_the_end(struct made *made)
{
	made_member(made, 'K', "././@LongLink", "name");
	made_end(made);
}

static void pax_before_zero(struct made *made)
{
	made_pax(made, 'x', "path", "p");
	made_zeros(made, 1);
}

static void pax_header_cut(struct made *made)
{
	made_header(made, 'x', "pax", 20);
	made_bytes(made, "20 path=", 8);
}

static void global_between(struct made *made)
{
	made_pax(made, 'x', "path", "p");
	made_pax(made, 'g', "comment", "c");
	made_header(made, '0', "f", 0);
}

static void pax_text(struct made *made, const char *records, size_t len)
{
	made_header(made, 'x', "pax", len);
	made_payload(made, records, len);
	made_header(made, '0', "f", 0);
	made_end(made);
}

#define PAX_CASE(name, records)                             \
	static void name(struct made *made)                 \
	{                                                   \
		pax_text(made, records, sizeof records - 1); \
	}
PAX_CASE(pax_no_length, "path=x\n")
PAX_CASE(pax_length_too_long, "99 path=x\n")
PAX_CASE(pax_length_too_short, "5 path=x\n")
PAX_CASE(pax_length_zero, "0 path=x\n")
PAX_CASE(pax_length_overflows, "99999999999999999999999 path=x\n")
PAX_CASE(pax_length_signed, "+9 path=x\n")
PAX_CASE(pax_no_newline, "9 path=xx")
PAX_CASE(pax_no_equals, "8 pathx\n")
PAX_CASE(pax_no_key, "5 =x\n")
PAX_CASE(pax_nul_in_key, "9 p\0th=x\n")
PAX_CASE(pax_nul_in_path, "12 path=a\0b\n")
PAX_CASE(pax_nul_in_link, "16 linkpath=a\0b\n")
PAX_CASE(pax_nul_in_uname, "13 uname=a\0b\n")
PAX_CASE(pax_rubbish_behind, "10 path=x\n\0\0\0")

static void pax_records(struct made *made, const char *const *texts, size_t count)
{
	NC_AUTO_BUF struct nc_buf records = { 0 };
	for (size_t i = 0; i < count; i += 2)
		pax_record(&records, texts[i], texts[i + 1], strlen(texts[i + 1]));
	pax_text(made, records.data, records.len);
}

/* Keys and values. */
#define PAX_RECORDS(name, ...)                                                 \
	static void name(struct made *made)                                    \
	{                                                                      \
		static const char *const texts[] = { __VA_ARGS__ };            \
		pax_records(made, texts, sizeof texts / sizeof texts[0]);      \
	}
PAX_RECORDS(pax_size_negative, "size", "-1")
PAX_RECORDS(pax_size_too_large, "size", "9223372036854775808")
PAX_RECORDS(pax_size_hex, "size", "0x1")
PAX_RECORDS(pax_owner_none, "uid", "4294967295")
PAX_RECORDS(pax_owner_negative, "gid", "-1")
PAX_RECORDS(pax_time_word, "mtime", "now")
PAX_RECORDS(pax_time_no_seconds, "mtime", ".5")
PAX_RECORDS(pax_time_two_dots, "mtime", "1.2.3")
PAX_RECORDS(pax_time_overflows, "mtime", "9223372036854775808")
PAX_RECORDS(pax_time_underflows, "mtime", "-9223372036854775808.1")
PAX_RECORDS(pax_device_too_large, "SCHILY.devmajor", "4294967296")
PAX_RECORDS(pax_xattr_no_name, "SCHILY.xattr.", "v")
PAX_RECORDS(pax_xattr_no_base64, "LIBARCHIVE.xattr.user.a", "a*bc")
PAX_RECORDS(pax_xattr_bad_url, "LIBARCHIVE.xattr.user%4", "YQ")
PAX_RECORDS(pax_xattr_nul_in_url, "LIBARCHIVE.xattr.user%00", "YQ")
PAX_RECORDS(sparse_unknown_version, "GNU.sparse.major", "2", "GNU.sparse.minor", "0")
PAX_RECORDS(sparse_without_size, "GNU.sparse.major", "1", "GNU.sparse.minor", "0")
PAX_RECORDS(sparse_map_odd, "GNU.sparse.size", "1000", "GNU.sparse.map", "0,1,")
PAX_RECORDS(sparse_map_half, "GNU.sparse.size", "1000", "GNU.sparse.map", "0")
PAX_RECORDS(sparse_map_word, "GNU.sparse.size", "1000", "GNU.sparse.map", "0,x")
PAX_RECORDS(sparse_map_overlaps, "GNU.sparse.size", "1000", "GNU.sparse.map", "0,10,9,10")
PAX_RECORDS(sparse_map_falls, "GNU.sparse.size", "1000", "GNU.sparse.map", "10,1,0,1")
PAX_RECORDS(sparse_map_overflows,
	    "GNU.sparse.size", "1000", "GNU.sparse.map", "9223372036854775807,9223372036854775807")
PAX_RECORDS(sparse_beyond_the_end, "GNU.sparse.size", "5", "GNU.sparse.map", "6,0")
PAX_RECORDS(sparse_sum_wrong, "GNU.sparse.size", "1000", "GNU.sparse.map", "0,100")
PAX_RECORDS(sparse_blocks_wrong, "GNU.sparse.size", "1000", "GNU.sparse.numblocks", "3", "GNU.sparse.map", "0,0")
PAX_RECORDS(sparse_two_offsets, "GNU.sparse.size", "1000", "GNU.sparse.offset", "0", "GNU.sparse.offset", "1")
PAX_RECORDS(sparse_half_a_pair, "GNU.sparse.size", "1000", "GNU.sparse.offset", "0")
PAX_RECORDS(sparse_both_maps,
	    "GNU.sparse.offset", "0", "GNU.sparse.numbytes", "0", "GNU.sparse.map", "0,0", "GNU.sparse.size", "1000")

static void sparse_directory(struct made *made)
{
	made_pax(made, 'x', "GNU.sparse.size", "1000");
	made_header(made, '5', "d", 0);
}

static void sparse_global(struct made *made)
{
	made_pax(made, 'g', "GNU.sparse.size", "1000");
	made_header(made, '0', "f", 0);
}

static void lines(struct made *made, const char *map, size_t stored)
{
	static const char records[] = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n28 GNU.sparse.realsize=1000\n";
	made_header(made, 'x', "pax", sizeof records - 1);
	made_payload(made, records, sizeof records - 1);
	made_header(made, '0', "f", stored);
	made_payload(made, map, strlen(map));
	made_end(made);
}

static void lines_without_count(struct made *made)
{
	lines(made, "\n", 512);
}

static void lines_word(struct made *made)
{
	lines(made, "1\n0\nall\n", 512);
}

static void lines_too_long(struct made *made)
{
	lines(made, "1\n00000000000000000000000000000\n0\n", 512);
}

static void lines_beyond_payload(struct made *made)
{
	lines(made, "99999999\n0\n0\n", 512);
}

static void lines_in_short_payload(struct made *made)
{
	lines(made, "0\n", 100);
}

static void lines_cut(struct made *made)
{
	lines(made, "1\n0\n100\n", 612);
	made->buf.len = 512 * 3 + 100;
}

static void gnu_sparse(struct made *made, const char *entries, size_t len, bool more)
{
	made_header(made, 'S', "f", 0);
	made_gnu(made);
	made_field(made, 386, entries, len);
	made_field(made, 482, more ? "\1" : "", 1);
	made_field(made, 483, "00000001000", 12);
}

static void gnu_sparse_number(struct made *made)
{
	gnu_sparse(made, "0000000000x\0" "00000000000", 24, false);
}

static void gnu_sparse_negative(struct made *made)
{
	gnu_sparse(made, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" "00000000000", 24, false);
}

static void gnu_sparse_cut(struct made *made)
{
	gnu_sparse(made, "", 1, true);
}

static void gnu_sparse_size(struct made *made)
{
	gnu_sparse(made, "", 1, false);
	made_field(made, 483, "x", 1);
}

static void gnu_sparse_of_ustar(struct made *made)
{
	gnu_sparse(made, "", 1, false);
	made_field(made, 257, "ustar\0" "00", 8);
}

static void content_of_a_hard_link(struct made *made)
{
	made_member(made, '1', "l", "content that Go's reader would take for a header");
	made_end(made);
}

static void huge_extension(struct made *made)
{
	made_header(made, 'x', "pax", 8u << 20);
}

static void sum_of_extensions(struct made *made)
{
	for (int i = 0; i < 3; i++) {
		made_header(made, 'L', "././@LongLink", 400000);
		made_zeros(made, 400000 + (-400000u & 511));
	}
}

static void endless_extensions(struct made *made)
{
	for (int i = 0; i < 4000; i++)
		made_header(made, 'x', "pax", 0);
}

static void long_name(struct made *made, char flag, size_t len)
{
	char *name = malloc(len);
	memset(name, 'n', len);
	made_header(made, flag, "././@LongLink", len);
	made_payload(made, name, len);
	made_header(made, flag == 'K' ? '2' : '0', "f", 0);
	free(name);
}

static void name_too_long(struct made *made)
{
	long_name(made, 'L', NC_TAR_NAME_MAX + 1);
}

static void link_too_long(struct made *made)
{
	long_name(made, 'K', NC_TAR_NAME_MAX + 1);
}

static void many_xattrs(struct made *made)
{
	NC_AUTO_BUF struct nc_buf records = { 0 };
	for (int i = 0; i < 5000; i++) {
		char key[64];
		snprintf(key, sizeof key, "SCHILY.xattr.user.%d", i);
		pax_record(&records, key, "", 0);
	}
	made_header(made, 'x', "pax", records.len);
	made_payload(made, records.data, records.len);
	made_header(made, '0', "f", 0);
}

static void many_global_xattrs(struct made *made)
{
	for (int i = 0; i < 5000; i++) {
		char key[64];
		snprintf(key, sizeof key, "SCHILY.xattr.user.%d", i);
		made_pax(made, 'g', key, "");
	}
}

static void large_global_xattr(struct made *made)
{
	NC_AUTO_BUF struct nc_buf records = { 0 };
	char *value = calloc(1, 65536);
	pax_record(&records, "SCHILY.xattr.user.x", value, 65536);
	made_header(made, 'g', "pax", records.len);
	made_payload(made, records.data, records.len);
	free(value);
}

static void many_map_blocks(struct made *made)
{
	gnu_sparse(made, "", 1, true);
	for (int i = 0; i < 3000; i++) {
		char block[512] = { 0 };
		block[504] = 1;
		made_bytes(made, block, sizeof block);
	}
}

static const struct {
	build_fn *build;
	int code;
	const char *reason;	/* a part of the sentence */
} hostile[] = {
	{ wrong_checksum, NACRE_E_BADDATA, "not a tar archive" },
	{ second_header_wrong, NACRE_E_BADDATA, "at byte 512: no tar header" },
	{ text, NACRE_E_BADDATA, "not a tar archive" },
	{ half_a_header, NACRE_E_BADDATA, "the archive ends within it" },
	{ content_missing, NACRE_E_BADDATA, "within the content of 'f' (999 bytes" },
	{ foreign_payload_missing, NACRE_E_BADDATA, "within the content of 'label'" },
	{ size_no_number, NACRE_E_BADDATA, "the size is no number" },
	{ size_negative, NACRE_E_BADDATA, "the size is negative" },
	{ size_beyond_63_bits, NACRE_E_BADDATA, "the size is no number" },
	{ minus_in_octal, NACRE_E_BADDATA, "the size is no number" },
	{ owner_none, NACRE_E_BADDATA, "the owner 4294967295 is out of range" },
	{ owner_cut_to_0_by_others, NACRE_E_BADDATA, "the owner 4294967296 is out of range" },
	{ group_negative, NACRE_E_BADDATA, "the group -1 is out of range" },
	{ mode_no_number, NACRE_E_BADDATA, "the mode is no number" },
	{ time_beyond_64_bits, NACRE_E_BADDATA, "the time is no number" },
	{ device_too_large, NACRE_E_BADDATA, "the major device number 4294967296" },
	{ minor_negative, NACRE_E_BADDATA, "the minor device number -1" },
	{ no_name, NACRE_E_BADDATA, "without a name" },
	{ no_target, NACRE_E_BADDATA, "'l': a link without a target" },
	{ no_name_in_long_name, NACRE_E_BADDATA, "without a name" },
	{ long_name_alone, NACRE_E_BADDATA, "after an extension header" },
	{ long_name_before_the_end, NACRE_E_BADDATA, "after an extension header" },
	{ pax_before_zero, NACRE_E_BADDATA, "after an extension header" },
	{ pax_header_cut, NACRE_E_BADDATA, "ends within an extension header" },
	{ global_between, NACRE_E_BADDATA, "a global header between" },
	{ pax_no_length, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_length_too_long, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_length_too_short, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_length_zero, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_length_overflows, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_length_signed, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_no_newline, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_no_equals, NACRE_E_BADDATA, "malformed pax record" },
	{ pax_no_key, NACRE_E_BADDATA, "without a proper key" },
	{ pax_nul_in_key, NACRE_E_BADDATA, "without a proper key" },
	{ pax_nul_in_path, NACRE_E_BADDATA, "'path' is malformed" },
	{ pax_nul_in_link, NACRE_E_BADDATA, "'linkpath' is malformed" },
	{ pax_nul_in_uname, NACRE_E_BADDATA, "'uname' is malformed" },
	{ pax_rubbish_behind, NACRE_E_BADDATA, "malformed pax record (at byte 10 " },
	{ pax_size_negative, NACRE_E_BADDATA, "'size' is malformed" },
	{ pax_size_too_large, NACRE_E_BADDATA, "'size' is malformed" },
	{ pax_size_hex, NACRE_E_BADDATA, "'size' is malformed" },
	{ pax_owner_none, NACRE_E_BADDATA, "'uid' is malformed" },
	{ pax_owner_negative, NACRE_E_BADDATA, "'gid' is malformed" },
	{ pax_time_word, NACRE_E_BADDATA, "'mtime' is malformed" },
	{ pax_time_no_seconds, NACRE_E_BADDATA, "'mtime' is malformed" },
	{ pax_time_two_dots, NACRE_E_BADDATA, "'mtime' is malformed" },
	{ pax_time_overflows, NACRE_E_BADDATA, "'mtime' is malformed" },
	{ pax_time_underflows, NACRE_E_BADDATA, "'mtime' is malformed" },
	{ pax_device_too_large, NACRE_E_BADDATA, "'SCHILY.devmajor' is malformed" },
	{ pax_xattr_no_name, NACRE_E_BADDATA, "attribute without a name" },
	{ pax_xattr_no_base64, NACRE_E_BADDATA, "'user.a' is no base64" },
	{ pax_xattr_bad_url, NACRE_E_BADDATA, "name is badly encoded" },
	{ pax_xattr_nul_in_url, NACRE_E_BADDATA, "name is badly encoded" },
	{ sparse_unknown_version, NACRE_E_BADDATA, "format 2.0 is unknown" },
	{ sparse_without_size, NACRE_E_BADDATA, "size of the sparse file is missing" },
	{ sparse_map_odd, NACRE_E_BADDATA, "lacks a number" },
	{ sparse_map_half, NACRE_E_BADDATA, "ends within a pair" },
	{ sparse_map_word, NACRE_E_BADDATA, "malformed number" },
	{ sparse_map_overlaps, NACRE_E_BADDATA, "overlap or are out of order" },
	{ sparse_map_falls, NACRE_E_BADDATA, "overlap or are out of order" },
	{ sparse_map_overflows, NACRE_E_BADDATA, "beyond 2^63" },
	{ sparse_beyond_the_end, NACRE_E_BADDATA, "beyond the end of the file" },
	{ sparse_sum_wrong, NACRE_E_BADDATA, "speaks of 100 bytes, but 0 are stored" },
	{ sparse_blocks_wrong, NACRE_E_BADDATA, "1 runs instead of 3" },
	{ sparse_two_offsets, NACRE_E_BADDATA, "'GNU.sparse.offset' is malformed" },
	{ sparse_half_a_pair, NACRE_E_BADDATA, "ends within a pair" },
	{ sparse_both_maps, NACRE_E_BADDATA, "'GNU.sparse.map' is malformed" },
	{ sparse_directory, NACRE_E_BADDATA, "no regular file" },
	{ sparse_global, NACRE_E_BADDATA, "a global header describes a sparse file" },
	{ lines_without_count, NACRE_E_BADDATA, "lacks a number" },
	{ lines_word, NACRE_E_BADDATA, "malformed number" },
	{ lines_too_long, NACRE_E_BADDATA, "malformed number" },
	{ lines_beyond_payload, NACRE_E_BADDATA, "malformed number" },
	{ lines_in_short_payload, NACRE_E_BADDATA, "longer than the payload" },
	{ lines_cut, NACRE_E_BADDATA, "ends within the sparse map" },
	{ gnu_sparse_number, NACRE_E_BADDATA, "malformed number" },
	{ gnu_sparse_negative, NACRE_E_BADDATA, "malformed number" },
	{ gnu_sparse_cut, NACRE_E_BADDATA, "ends within the sparse map" },
	{ gnu_sparse_size, NACRE_E_BADDATA, "size of the sparse file is no number" },
	{ gnu_sparse_of_ustar, NACRE_E_BADDATA, "unknown kind" },
	{ content_of_a_hard_link, NACRE_E_BADDATA, "at byte 512: no tar header" },
	{ huge_extension, NACRE_E_LIMIT, "1048576 bytes of extension headers" },
	{ sum_of_extensions, NACRE_E_LIMIT, "1048576 bytes of extension headers" },
	{ endless_extensions, NACRE_E_LIMIT, "1048576 bytes of extension headers" },
	{ name_too_long, NACRE_E_LIMIT, "a name of 65536 bytes" },
	{ link_too_long, NACRE_E_LIMIT, "a link target of 65536 bytes" },
	{ many_xattrs, NACRE_E_LIMIT, "4096 extended attributes" },
	{ many_global_xattrs, NACRE_E_LIMIT, "64 extended attributes of 65536 bytes in global headers" },
	{ large_global_xattr, NACRE_E_LIMIT, "64 extended attributes of 65536 bytes in global headers" },
	{ many_map_blocks, NACRE_E_LIMIT, "sparse map of more than 1048576 bytes" },
};
#define HOSTILE_COUNT (sizeof hostile / sizeof hostile[0])

static void refuses_each_with_its_reason(void **state)
{
	for (size_t i = 0; i < HOSTILE_COUNT; i++) {
		struct made made = { 0 };
		hostile[i].build(&made);
		for (size_t piece = 0; piece <= 600; piece += 300) {
			struct transcript said;
			transcribe(made.buf.data, made.buf.len, piece, &said);
			if (said.code != hostile[i].code || !strstr(said.err.msg, hostile[i].reason))
				fail_msg("%zu ('%s'): %d %s", i, hostile[i].reason, said.code,
					 said.code < 0 ? said.err.msg : nc_buf_text(&said.text));
			transcript_release(&said);
		}
		made_release(&made);
	}
}

/* A small archive with everything in it. */
static void mixture(struct made *made)
{
	made_pax(made, 'g', "comment", "all kinds");
	made_member(made, '5', "d/", "");
	made_member(made, 'L', "././@LongLink", "d/a long name");
	made_member(made, 'K', "././@LongLink", "a long target");
	made_member(made, '2', "l", "");
	made_pax(made, 'x', "SCHILY.xattr.user.x", "value");
	made_member(made, '0', "d/f", "content");
	lines(made, "2\n0\n3\n500\n2\n", 517);
	made->buf.len -= 1024;
	made_payload(made, "abcde", 5);
	made_header(made, 'S', "s", 5);
	made_gnu(made);
	made_field(made, 386, "00000000000\0" "00000000002", 24);
	made_field(made, 482, "\1", 1);
	made_field(made, 483, "00000001000", 12);
	made_payload(made, "00000000100\0" "00000000003", 24);
	made_payload(made, "abcde", 5);
	made_member(made, '3', "null", "");
	made_end(made);
}

/* Leaves the lines of entries and data. */
static void drop_framing(struct nc_buf *text)
{
	struct nacre_error err;
	struct nc_buf kept = NC_BUF_INIT(text->max);
	for (const char *line = nc_buf_text(text), *end; (end = strchr(line, '\n')); line = end + 1)
		if (strncmp(line, "framing", 7) != 0)
			assert_done(nc_buf_add(&kept, line, (size_t)(end - line) + 1, &err));
	nc_buf_release(text);
	*text = kept;
}

/* Wherever an archive is cut, it is refused, but for cuts between members and in the closing blocks. */
static void notices_each_cut_that_loses_something(void **state)
{
	struct made made = { 0 };
	struct transcript whole;
	mixture(&made);
	transcribe(made.buf.data, made.buf.len, 0, &whole);
	assert_int_equal(whole.code, 0);
	drop_framing(&whole.text);
	unsigned legal = 0, last = 0;
	for (size_t len = 0; len <= made.buf.len; len++) {
		struct transcript said;
		transcribe(made.buf.data, len, len % 3 ? 0 : 100, &said);
		if (said.code == 0) {
			legal++;
			assert_int_equal(said.bytes.len, len);
			assert_true(said.entries >= last);
			last = said.entries;
			drop_framing(&said.text);
			assert_memory_equal(nc_buf_text(&said.text), whole.text.data, said.text.len);
		} else {
			assert_int_equal(said.code, NACRE_E_BADDATA);
		}
		transcript_release(&said);
	}
	assert_int_equal(last, whole.entries);
	/* Legal are: no byte; after g, d/, l and null; anywhere in the padding of g and of three files; the closing
	 * blocks. */
	unsigned g = 512 - 21 + 1, files = 512 - 7 + 1 + 2 * (512 - 5 + 1), others = 1 + 1 + 1 + 1;
	assert_int_equal(legal, g + files + others + 1024);
	transcript_release(&whole);
	made_release(&made);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Repairs the checksums of all blocks that could be headers, so that a mutation reaches what lies behind them. */
static void repair_sums(struct made *made)
{
	for (made->header = 0; made->header + 512 <= made->buf.len; made->header += 512)
		if (memcmp(made->buf.data + made->header + 257, "ustar", 5) == 0)
			made_sum(made);
}

static void survives_any_change_of_bytes(void **state)
{
	static const char tokens[][13] = { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "77777777777",
					   "GNU.sparse.", "size=", "\n", "99", "=", "\0\0\0\0\0\0\0\0\0\0\0" };
	uint32_t random = 20151130;
	struct made original = { 0 };
	mixture(&original);
	unsigned refused = 0;
	for (int round = 0; round < 6000; round++) {
		struct made made = { 0 };
		made_bytes(&made, original.buf.data, original.buf.len);
		for (uint32_t changes = next_random(&random) % 4 + 1; changes; changes--) {
			size_t at = next_random(&random) % (made.buf.len - 12);
			const char *token = tokens[next_random(&random) % 8];
			if (next_random(&random) % 2)
				made.buf.data[at] = (char)next_random(&random);
			else
				memcpy(made.buf.data + at, token,
				       token[0] && token[0] != '\xff' ? strlen(token) : 12);
		}
		if (next_random(&random) % 4)
			repair_sums(&made);
		struct transcript said;
		transcribe(made.buf.data, made.buf.len, next_random(&random) % 700, &said);
		refused += said.code < 0;
		transcript_release(&said);
		made_release(&made);
	}
	/* Some went through and some did not: the loop tests both. */
	assert_in_range(refused, 1000, 5900);
	made_release(&original);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_each_with_its_reason),
		cmocka_unit_test(notices_each_cut_that_loses_something),
		cmocka_unit_test(survives_any_change_of_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
