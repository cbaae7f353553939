/* What members mean, dialect by dialect, on archives made here. */
#include "tools.h"

/* Reads what was made and expects these lines of entries (and data), framing left out. */
static void expect(struct made *made, const char *lines)
{
	for (size_t piece = 0; piece <= 514; piece += 257) {
		struct transcript said;
		transcribe(nc_buf_text(&made->buf), made->buf.len, piece, &said);
		if (said.code != 0)
			fail_msg("%d %s", said.code, said.err.msg);
		NC_AUTO_BUF struct nc_buf entries = NC_BUF_INIT(1u << 20);
		struct nacre_error err;
		for (const char *line = nc_buf_text(&said.text), *end; (end = strchr(line, '\n')); line = end + 1)
			if (strncmp(line, "framing", 7) != 0 && strncmp(line, "data", 4) != 0)
				assert_done(nc_buf_add(&entries, line, (size_t)(end - line) + 1, &err));
		assert_string_equal(nc_buf_text(&entries), lines);
		transcript_release(&said);
	}
	made_release(made);
}

#define REST " 0644 1000:1001 size 0/0 time 10.000000000 dev 0,0\n"
#define FILE_REST " 0644 1000:1001 size 0/0 in place time 10.000000000 dev 0,0\n"

static void nothing_at_all(void **state)
{
	struct made made = { 0 };
	expect(&made, "");
	made_zeros(&made, 1);
	expect(&made, "");
	made_zeros(&made, 511);
	expect(&made, "");
	made_zeros(&made, 1024);
	expect(&made, "");
}

static void what_trails_is_carried_along(void **state)
{
	struct made made = { 0 };
	made_header(&made, '0', "f", 0);
	made_end(&made);
	made_bytes(&made, "anything", 8);
	expect(&made, "0 f -> ''" FILE_REST);
	made_header(&made, '0', "f", 0);
	made_zeros(&made, 512);
	made_header(&made, '0', "behind a lone zero block", 0);
	expect(&made, "0 f -> ''" FILE_REST);
	/* The padding of the last member may be missing. */
	made_header(&made, '0', "f", 3);
	made_bytes(&made, "abc", 3);
	expect(&made, "0 f -> '' 0644 1000:1001 size 3/3 in place time 10.000000000 dev 0,0\n");
}

static void every_type_flag(void **state)
{
	static const struct {
		char flag;
		const char *line;
	} flags[] = {
		{ '0', "0 n -> ''" FILE_REST }, { 0, "0 n -> ''" FILE_REST }, { '7', "0 n -> ''" FILE_REST },
		{ 'Q', "0 n -> ''" FILE_REST }, { '8', "0 n -> ''" FILE_REST }, { '1', "1 n -> 'target'" REST },
		{ '2', "2 n -> 'target'" REST }, { '3', "3 n -> ''" REST }, { '4', "4 n -> ''" REST },
		{ '5', "5 n -> ''" REST }, { '6', "6 n -> ''" REST }, { 'D', "5 n -> ''" REST },
		{ 'V', "g n -> ''" REST }, { 'M', "g n -> ''" REST }, { 'A', "g n -> ''" REST },
		{ 'N', "g n -> ''" REST }, { 'I', "g n -> ''" REST },
	};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		struct made made = { 0 };
		made_header(&made, flags[i].flag, "n", 0);
		expect(&made, flags[i].line);
	}
	struct made made = { 0 };
	made_header(&made, 'g', "n", 0);
	expect(&made, "g n -> '' 0000 0:0 size 0/0 time 0.000000000 dev 0,0\n");
}

static void only_files_have_content(void **state)
{
	/* Links, devices, directories and fifos have no payload whatever the field says; D, V and M do. */
	for (const char *flag = "123456"; *flag; flag++) {
		struct made made = { 0 };
		struct transcript said;
		made_header(&made, *flag, "n", 5000);
		made_pax(&made, 'x', "size", "5000");
		made_header(&made, *flag, "n", 0);
		transcribe(made.buf.data, made.buf.len, 0, &said);
		assert_int_equal(said.code, 0);
		assert_int_equal(said.entries, 2);
		transcript_release(&said);
		made_release(&made);
	}
	for (const char *flag = "DVM"; *flag; flag++) {
		struct made made = { 0 };
		struct transcript said;
		made_member(&made, *flag, "n", "looks like no header");
		transcribe(made.buf.data, made.buf.len, 0, &said);
		assert_int_equal(said.code, 0);
		assert_null(strstr(said.text.data, "data"));
		transcript_release(&said);
		made_release(&made);
	}
}

static void slashes_make_directories_of_the_old_flag_alone(void **state)
{
	struct made made = { 0 };
	made_header(&made, 0, "old/", 0);
	made_header(&made, '0', "new/", 0);
	made_member(&made, 'L', "././@LongLink", "long/");
	made_header(&made, 0, "n", 0);
	expect(&made, "5 old/ -> ''" REST "0 new/ -> ''" FILE_REST "5 long/ -> ''" REST);
}

static void numbers_of_all_writers(void **state)
{
	static const struct {
		char field[13];
		int64_t value;
	} fields[] = {
		{ "00000000012", 10 }, { "         12", 10 }, { "        12 ", 10 }, { "12\0rubbish##", 10 },
		{ "\0\0\0\0\0\0\0\0\0\0\0", 0 }, { "           ", 0 }, { "\0\0\0\0\0\0\0" "012", 10 },
		{ "777777777777", 68719476735 }, { "\x80\0\0\0\0\0\0\0\0\0\0\x0a", 10 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", -2 },
		{ "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", INT64_MAX },
		{ "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", INT64_MIN },
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct made made = { 0 };
		char line[200];
		made_header(&made, '6', "n", 0);
		made_field(&made, 136, fields[i].field, 12);
		snprintf(line, sizeof line, "6 n -> '' 0644 1000:1001 size 0/0 time %" PRId64 ".000000000 dev 0,0\n",
			 fields[i].value);
		expect(&made, line);
	}
	struct made made = { 0 };
	made_header(&made, '3', "n", 0);
	made_field(&made, 100, "0107777", 8);
	made_field(&made, 108, "\x80\0\0\0\xff\xff\xff\xfe", 8);
	made_field(&made, 116, "\0\0\0\0\0\0\0", 8);
	made_field(&made, 329, "\x80\0\0\0\xff\xff\xff\xff", 8);
	made_field(&made, 337, "  5 ", 5);
	expect(&made, "3 n -> '' 7777 4294967294:0 size 0/0 time 10.000000000 dev 4294967295,5\n");
}

static void checksums_of_signed_bytes(void **state)
{
	struct made made = { 0 };
	made_header(&made, '0', "caf\xe9", 0);
	unsigned sum = 0;
	char text[8] = "";
	memset(made.buf.data + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned)(int)(signed char)made.buf.data[i];
	snprintf(text, sizeof text, "%06o", sum);
	memcpy(made.buf.data + 148, text, 8);
	expect(&made, "0 caf\xe9 -> ''" FILE_REST);
}

static void prefixes_by_magic(void **state)
{
	struct made made = { 0 };
	made_header(&made, '0', "n", 0);
	made_field(&made, 345, "ustar", 6);
	made_header(&made, '0', "n", 0);
	made_field(&made, 345, "star", 5);
	made_field(&made, 476, "00000000012", 12);
	made_field(&made, 488, "00000000012", 12);
	made_field(&made, 508, "tar", 4);
	made_header(&made, '0', "n", 0);
	made_gnu(&made);
	made_field(&made, 345, "00000000012", 12);
	made_header(&made, '0', "n", 0);
	made_field(&made, 257, "\0\0\0\0\0\0\0\0", 8);
	made_field(&made, 345, "v7", 3);
	made_header(&made, '0', "n", 0);
	made_gnu(&made);
	made_field(&made, 345, "written by Go 1.7", 18);
	expect(&made, "0 ustar/n -> ''" FILE_REST "0 star/n -> ''" FILE_REST "0 n -> ''" FILE_REST
		      "0 n -> ''" FILE_REST "0 written by Go 1.7/n -> ''" FILE_REST);
}

static void pax_over_gnu_over_header(void **state)
{
	struct made made = { 0 };
	made_member(&made, 'L', "././@LongLink", "gnu name");
	made_member(&made, 'K', "././@LongLink", "gnu target");
	made_header(&made, '2', "n", 0);
	made_pax(&made, 'x', "path", "pax name");
	made_member(&made, 'L', "././@LongLink", "gnu name");
	made_header(&made, '2', "n", 0);
	made_member(&made, 'L', "././@LongLink", "first");
	made_member(&made, 'L', "././@LongLink", "second");
	made_header(&made, '2', "n", 0);
	made_header(&made, '2', "n", 0);
	expect(&made, "2 gnu name -> 'gnu target'" REST "2 pax name -> 'target'" REST "2 second -> 'target'" REST
		      "2 n -> 'target'" REST);
}

static void the_last_of_several_pax_headers(void **state)
{
	struct made made = { 0 };
	made_pax(&made, 'x', "path", "first");
	made_pax(&made, 'x', "uid", "5");
	made_header(&made, '6', "n", 0);
	expect(&made, "6 n -> '' 0644 5:1001 size 0/0 time 10.000000000 dev 0,0\n");
	/* The same key twice in one header: the last record. */
	static const char twice[] = "9 path=a\n9 path=b\n";
	made = (struct made){ 0 };
	made_header(&made, 'x', "pax", sizeof twice - 1);
	made_payload(&made, twice, sizeof twice - 1);
	made_header(&made, '6', "n", 0);
	expect(&made, "6 b -> ''" REST);
}

static void pax_size_moves_the_stream(void **state)
{
	struct made made = { 0 };
	made_pax(&made, 'x', "size", "600");
	made_header(&made, '0', "n", 0);
	/* What a reader that follows the header's size would take for a member. */
	made_header(&made, '0', "hidden", 0);
	made_zeros(&made, 512);
	made_header(&made, '6', "next", 0);
	expect(&made, "0 n -> '' 0644 1000:1001 size 600/600 in place time 10.000000000 dev 0,0\n6 next -> ''" REST);
	/* It never applies to an extension header. */
	made = (struct made){ 0 };
	made_pax(&made, 'x', "size", "600");
	made_member(&made, 'L', "././@LongLink", "long");
	made_header(&made, '0', "n", 0);
	made_zeros(&made, 1024);
	expect(&made, "0 long -> '' 0644 1000:1001 size 600/600 in place time 10.000000000 dev 0,0\n");
}

static void global_records_hold_until_they_change(void **state)
{
#define GLOBAL "g pax -> '' 0000 0:0 size 0/0 time 0.000000000 dev 0,0\n"
	struct made made = { 0 };
	made_pax(&made, 'g', "uid", "7");
	made_header(&made, '6', "a", 0);
	made_pax(&made, 'x', "uid", "8");
	made_header(&made, '6', "b", 0);
	made_pax(&made, 'x', "uid", "");
	made_header(&made, '6', "c", 0);
	made_pax(&made, 'g', "mtime", "-0.5");
	made_header(&made, '6', "d", 0);
	made_pax(&made, 'g', "uid", "");
	made_header(&made, '6', "e", 0);
	made_pax(&made, 'g', "path", "everything");
	made_header(&made, '6', "f", 0);
	expect(&made, GLOBAL "6 a -> '' 0644 7:1001 size 0/0 time 10.000000000 dev 0,0\n"
		      "6 b -> '' 0644 8:1001 size 0/0 time 10.000000000 dev 0,0\n"
		      "6 c -> '' 0644 1000:1001 size 0/0 time 10.000000000 dev 0,0\n"
		      GLOBAL "6 d -> '' 0644 7:1001 size 0/0 time -1.500000000 dev 0,0\n"
		      GLOBAL "6 e -> '' 0644 1000:1001 size 0/0 time -1.500000000 dev 0,0\n"
		      GLOBAL "6 everything -> '' 0644 1000:1001 size 0/0 time -1.500000000 dev 0,0\n");
}

static void every_number_may_be_global(void **state)
{
	struct made made = { 0 };
	NC_AUTO_BUF struct nc_buf records = { 0 };
	pax_record(&records, "size", "600", 3);
	pax_record(&records, "gid", "7", 1);
	pax_record(&records, "SCHILY.devmajor", "9", 1);
	pax_record(&records, "SCHILY.devminor", "8", 1);
	made_header(&made, 'g', "pax", records.len);
	made_payload(&made, records.data, records.len);
	made_header(&made, '0', "f", 1);
	made_zeros(&made, 1024);
	made_header(&made, '3', "n", 0);
	expect(&made, GLOBAL "0 f -> '' 0644 1000:7 size 600/600 in place time 10.000000000 dev 0,0\n"
		      "3 n -> '' 0644 1000:7 size 0/0 time 10.000000000 dev 9,8\n");
}

static void pax_times(void **state)
{
	static const struct {
		const char *text, *seen;
	} times[] = {
		{ "1", "1.000000000" }, { "1.", "1.000000000" }, { "1.5", "1.500000000" },
		{ "0.1234567899", "0.123456789" }, { "-1", "-1.000000000" }, { "-1.5", "-2.500000000" },
		{ "-0.25", "-1.750000000" }, { "-0", "0.000000000" }, { "-0.0", "0.000000000" },
		{ "-0.0000000001", "-1.999999999" }, { "-1.9999999999", "-2.000000000" },
		{ "00000000001.50", "1.500000000" },
		{ "9223372036854775807.999999999", "9223372036854775807.999999999" },
		{ "-9223372036854775808", "-9223372036854775808.000000000" },
	};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct made made = { 0 };
		char line[200];
		made_pax(&made, 'x', "mtime", times[i].text);
		made_header(&made, '6', "n", 0);
		snprintf(line, sizeof line, "6 n -> '' 0644 1000:1001 size 0/0 time %s dev 0,0\n", times[i].seen);
		expect(&made, line);
	}
}

static void attributes_of_both_vendors(void **state)
{
	struct made made = { 0 };
	NC_AUTO_BUF struct nc_buf records = { 0 };
	pax_record(&records, "SCHILY.xattr.user.z", "\0\n=", 3);
	pax_record(&records, "LIBARCHIVE.xattr.user.z", "AAo9", 4);
	pax_record(&records, "LIBARCHIVE.xattr.user.a%3Db", "YQ", 2);
	pax_record(&records, "LIBARCHIVE.xattr.user.c", "YWI=", 4);
	pax_record(&records, "SCHILY.xattr.user.b", "old", 3);
	pax_record(&records, "SCHILY.xattr.user.b", "new", 3);
	pax_record(&records, "SCHILY.xattr.user.empty", "", 0);
	pax_record(&records, "SCHILY.acl.access", "user::rwx", 9);
	made_header(&made, 'x', "pax", records.len);
	made_payload(&made, records.data, records.len);
	made_header(&made, '6', "n", 0);
	made_header(&made, '6', "m", 0);
	expect(&made, "6 n -> '' 0644 1000:1001 size 0/0 time 10.000000000 dev 0,0 user.a=b=61 user.b=6e6577 "
		      "user.c=6162 user.empty= user.z=000a3d\n6 m -> ''" REST);

	made = (struct made){ 0 };
	made_pax(&made, 'g', "SCHILY.xattr.user.g", "G");
	made_pax(&made, 'g', "SCHILY.xattr.user.h", "H");
	made_pax(&made, 'g', "SCHILY.xattr.user.g", "G2");
	made_pax(&made, 'x', "SCHILY.xattr.user.h", "local");
	made_header(&made, '6', "n", 0);
	made_header(&made, '6', "m", 0);
	expect(&made, GLOBAL GLOBAL GLOBAL
	       "6 n -> '' 0644 1000:1001 size 0/0 time 10.000000000 dev 0,0 user.g=4732 user.h=6c6f63616c\n"
	       "6 m -> '' 0644 1000:1001 size 0/0 time 10.000000000 dev 0,0 user.g=4732 user.h=48\n");
}

static void devices_beyond_octal(void **state)
{
	struct made made = { 0 };
	static const char records[] = "29 SCHILY.devminor=123456789\n30 SCHILY.devmajor=4294967295\n";
	made_header(&made, 'x', "pax", sizeof records - 1);
	made_payload(&made, records, sizeof records - 1);
	made_header(&made, '4', "n", 0);
	/* Other types have none, whatever stands there. */
	made_header(&made, '6', "p", 0);
	made_field(&made, 329, "rubbish", 8);
	expect(&made, "4 n -> '' 0644 1000:1001 size 0/0 time 10.000000000 dev 4294967295,123456789\n6 p -> ''" REST);
}

static void names_up_to_the_limit(void **state)
{
	struct made made = { 0 };
	struct transcript said;
	char *name = malloc(NC_TAR_NAME_MAX + 1);
	memset(name, 'n', NC_TAR_NAME_MAX);
	name[NC_TAR_NAME_MAX] = '\0';
	made_pax(&made, 'x', "path", name);
	made_header(&made, '6', "short", 0);
	transcribe(made.buf.data, made.buf.len, 0, &said);
	assert_int_equal(said.code, 0);
	assert_non_null(strstr(said.text.data, name));
	transcript_release(&said);
	made_release(&made);
	free(name);
}

/* --- streaming -------------------------------------------------------------------------------------------------- */

/* An archive without end: a header, then zeros, in blocks of 64 KiB. */
struct endless {
	struct nc_reader reader;
	struct made made;
	uint64_t left;
	char *block;
};

static ssize_t endless_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct endless *self = (struct endless *)reader;
	*ret = self->block;
	if (self->made.header != SIZE_MAX) {
		self->made.header = SIZE_MAX;
		*ret = self->made.buf.data;
		return (ssize_t)self->made.buf.len;
	}
	size_t n = self->left < 65536 ? (size_t)self->left : 65536;
	self->left -= n;
	return (ssize_t)n;
}

static void endless_close(struct nc_reader *reader)
{
}

/* Content is lent where upstream keeps it, never copied: however large a member, no byte of it is touched. */
static void lends_contents_without_copying(void **state)
{
	static const struct nc_reader_ops ops = { .next = endless_next, .close = endless_close };
	struct nacre_error err;
	struct endless endless = { .reader = { &ops }, .left = (8ull << 30) + 1024, .block = calloc(1, 65536) };
	made_header(&endless.made, '0', "large", 0);
	made_field(&endless.made, 124, "\x80\0\0\0\0\0\0\x02\0\0\0\0", 12);
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	assert_done(nc_tar_new(&endless.reader, &tar, &err));
	struct nc_tar_item item;
	uint64_t data = 0;
	int event;
	while ((event = nc_tar_next(tar, &item, &err)) > 0) {
		if (event != NC_TAR_DATA)
			continue;
		assert_ptr_equal(item.bytes, endless.block);
		assert_int_equal(item.at, data);
		data += item.len;
	}
	assert_int_equal(event, 0);
	assert_int_equal(data, 8ull << 30);
	free(endless.block);
	made_release(&endless.made);
}

/* Fails once its bytes are used up. */
static ssize_t broken_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	ssize_t n = pieces_next(reader, ret, err);
	return n ? n : nc_fail(err, NACRE_E_IO, 0, "the disk is broken");
}

static void passes_on_failures_of_upstream(void **state)
{
	static const struct nc_reader_ops ops = { .next = broken_next, .close = pieces_close };
	struct made made = { 0 };
	made_member(&made, 'L', "././@LongLink", "name");
	made_header(&made, '0', "f", 5);
	made_payload(&made, "hello", 5);
	for (size_t len = 0; len <= made.buf.len; len += 100) {
		struct nacre_error err = { .msg = "" };
		struct nc_tar_item item;
		struct pieces *pieces = (struct pieces *)read_pieces(made.buf.data, len, 70);
		pieces->reader.ops = &ops;
		NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = &pieces->reader;
		NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
		assert_done(nc_tar_new(reader, &tar, &err));
		int event;
		while ((event = nc_tar_next(tar, &item, &err)) > 0)
			;
		assert_int_equal(event, NACRE_E_IO);
		assert_string_equal(err.msg, "the disk is broken");
		memset(&err, 0, sizeof err);
		assert_int_equal(nc_tar_next(tar, &item, &err), NACRE_E_IO);
		assert_string_equal(err.msg, "the disk is broken");
	}
	made_release(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(what_trails_is_carried_along),
		cmocka_unit_test(every_type_flag),
		cmocka_unit_test(only_files_have_content),
		cmocka_unit_test(slashes_make_directories_of_the_old_flag_alone),
		cmocka_unit_test(numbers_of_all_writers),
		cmocka_unit_test(checksums_of_signed_bytes),
		cmocka_unit_test(prefixes_by_magic),
		cmocka_unit_test(pax_over_gnu_over_header),
		cmocka_unit_test(the_last_of_several_pax_headers),
		cmocka_unit_test(pax_size_moves_the_stream),
		cmocka_unit_test(global_records_hold_until_they_change),
		cmocka_unit_test(every_number_may_be_global),
		cmocka_unit_test(pax_times),
		cmocka_unit_test(attributes_of_both_vendors),
		cmocka_unit_test(devices_beyond_octal),
		cmocka_unit_test(names_up_to_the_limit),
		cmocka_unit_test(lends_contents_without_copying),
		cmocka_unit_test(passes_on_failures_of_upstream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
