/* What can be asked of one node, and noted for it. */
#include "fixture.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void register_files(const struct fixture *fixture, const char *parent, const char *const *pairs, char *ret_id)
{
	NC_AUTO_BUF struct nc_buf tar;
	struct nacre_register_options options = { .size = sizeof options, .parent = parent };
	make_tar(&tar, pairs);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, ret_id), 0);
}

static char *read_text(const struct fixture *fixture, const char *id, const char *file)
{
	char *text = NULL;
	if (nc_node_file(fixture->store, id, file, 4096, &text, NULL, NULL) < 0)
		return NULL;
	return text;
}

static void write_text(const struct fixture *fixture, const char *id, const char *file, const char *text)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(fixture->store, id, &dir, &err));
	assert_done(nc_file_replace(dir, file, text, strlen(text), false, &err));
}

static void drop_file(const struct fixture *fixture, const char *id, const char *file)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(fixture->store, id, &dir, &err));
	assert_int_equal(unlinkat(dir, file, 0), 0);
}

/* --- digests ---------------------------------------------------------------------------------------------------- */

static void a_digest_is_set_and_read(void **state)
{
	struct fixture *fixture = *state;
	static const char *const good[] = {
		"sha256:" HEX64,
		"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"sha512:" HEX64 HEX64,
		"sha384:" HEX64 "0123456789abcdef0123456789abcdef",
		"tarsum+sha256:" HEX64,
		"tarsum.v1+sha256:" HEX64,
		"tarsum.dev+sha1:0123456789abcdef0123456789abcdef01234567",
	};
	char id[65], digest[NACRE_DIGEST_MAX] = "untouched";
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err), NACRE_E_UNSET);
	assert_string_equal(digest, "untouched");
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char prefix[13];
		snprintf(prefix, sizeof prefix, "%.12s", id);
		assert_done(nacre_node_set_digest(fixture->store, prefix, good[i], &err));
		assert_done(nacre_node_digest(fixture->store, prefix, digest, &err));
		assert_string_equal(digest, good[i]);
		char *text = read_text(fixture, id, "checksum");
		assert_string_equal(text, good[i]);
		free(text);
	}
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	reopen(fixture);
	assert_done(nacre_node_digest(fixture->store, id, digest, &err));
	assert_string_equal(digest, good[6]);
}

static void what_is_no_digest_is_refused(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text;
		int code;
	} bad[] = {
		{ "", NACRE_E_INVALID },
		{ "sha256", NACRE_E_INVALID },
		{ "sha256:", NACRE_E_INVALID },
		{ ":" HEX64, NACRE_E_INVALID },
		{ HEX64, NACRE_E_INVALID },
		{ "sha256:b", NACRE_E_INVALID },
		{ "sha256:" HEX64 "0", NACRE_E_INVALID },
		{ "sha512:" HEX64, NACRE_E_INVALID },
		{ "sha256:" HEX64 "\n", NACRE_E_INVALID },
		{ "sha256: " HEX64, NACRE_E_INVALID },
		{ "sha256:0123456789abcdefg123456789abcdef0123456789abcdef0123456789abcdef", NACRE_E_INVALID },
		{ "sha/256:" HEX64, NACRE_E_INVALID },
		{ "md5:0123456789abcdef0123456789abcdef", NACRE_E_UNSUPPORTED },
		{ "sha3:" HEX64, NACRE_E_UNSUPPORTED },
		{ "tarsum:" HEX64, NACRE_E_INVALID },
		{ "tarsum.+sha256:" HEX64, NACRE_E_INVALID },
		{ "tarsum.v1+sha256:abc", NACRE_E_INVALID },
		{ "tarsum.v1sha256:" HEX64, NACRE_E_INVALID },
		{ "tarsum.v1+crc:" HEX64, NACRE_E_UNSUPPORTED },
	};
	char id[65], digest[NACRE_DIGEST_MAX];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(nacre_node_set_digest(fixture->store, id, bad[i].text, &err), bad[i].code);
		assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err), NACRE_E_UNSET);
		/* nor when it is there already */
		write_text(fixture, id, "checksum", bad[i].text);
		assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err),
				 strchr(bad[i].text, '\n') ? 0 : NACRE_E_CORRUPT);
		drop_file(fixture, id, "checksum");
	}
	assert_int_equal(nacre_node_set_digest(fixture->store, "..", "sha256:" HEX64, &err), NACRE_E_INVALID);
	assert_int_equal(nacre_node_digest(fixture->store, "..", digest, &err), NACRE_E_INVALID);
	assert_int_equal(nacre_node_set_digest(fixture->store, HEX64, "sha256:" HEX64, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_node_digest(fixture->store, HEX64, digest, &err), NACRE_E_NOTFOUND);
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_int_equal(nacre_node_set_digest(fixture->store, id, "sha256:" HEX64, &err), NACRE_E_DENIED);
	assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err), NACRE_E_UNSET);
}

/* --- sizes ------------------------------------------------------------------------------------------------------ */

static uint64_t size_of(const struct fixture *fixture, const char *id)
{
	uint64_t size = 12345;
	assert_done(nacre_node_size(fixture->store, id, &size, &err));
	return size;
}

/* As the catalog has it. */
static int64_t known_size(const struct fixture *fixture, const char *id)
{
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	return node.size;
}

static void forget(struct fixture *fixture)
{
	char path[256];
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	nacre_store_close(fixture->store);
	assert_int_equal(unlink(path), 0);
	fixture->store = open_with(fixture->root, 0, NULL);
}

static void a_missing_size_is_found_and_kept(void **state)
{
	struct fixture *fixture = *state;
	static const char *const damage[] = { NULL, "", "-5", "12x", "0x10", "99999999999999999999" };
	char id[65], child[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", "d/", "", "d/b", "second", NULL }, id);
	register_files(fixture, id, (const char *const[]){ "a", "changed", ".wh.d", "", NULL }, child);
	assert_int_equal(size_of(fixture, id), 11);
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		if (damage[i])
			write_text(fixture, child, "layersize", damage[i]);
		else
			drop_file(fixture, child, "layersize");
		forget(fixture);
		assert_int_equal(known_size(fixture, child), -1);
		assert_int_equal(size_of(fixture, child), 7);
		assert_int_equal(known_size(fixture, child), 7);
		char *text = read_text(fixture, child, "layersize");
		assert_string_equal(text, "7");
		free(text);
	}
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
}

static void without_a_record_the_tree_tells(void **state)
{
	struct fixture *fixture = *state;
	char id[65], child[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", "keep", "kept", NULL }, id);
	register_files(fixture, id, (const char *const[]){ "a", "changed", "new", "12345678", NULL }, child);
	drop_file(fixture, child, "layersize");
	drop_file(fixture, child, "tar-data.json.gz");
	forget(fixture);
	assert_int_equal(size_of(fixture, child), 15);
	assert_int_equal(known_size(fixture, child), 15);
}

static void a_store_that_is_only_read_tells_sizes_too(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	drop_file(fixture, id, "layersize");
	forget(fixture);
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_int_equal(size_of(fixture, id), 5);
	assert_null(read_text(fixture, id, "layersize"));
}

static void somebody_at_the_node_only_hinders_remembering(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_FD int locks = -1;
	char id[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	drop_file(fixture, id, "layersize");
	assert_done(nc_locks_open(fixture->store, &locks, &err));
	assert_done(nc_lock_id(locks, id, NC_LOCK_EXCLUSIVE, false, &err));
	assert_int_equal(size_of(fixture, id), 5);
	assert_null(read_text(fixture, id, "layersize"));
	nc_unlock_id(locks, id);
	assert_int_equal(size_of(fixture, id), 5);
	char *text = read_text(fixture, id, "layersize");
	assert_string_equal(text, "5");
	free(text);
}

/* --- creating --------------------------------------------------------------------------------------------------- */

static int try_create(struct nacre_store *store, const struct nc_buf *tar, const struct nacre_create_options *options,
		      char *ret_id)
{
	if (!tar)
		return nacre_node_create(store, -1, options, ret_id, &err);
	int fd = memfd_create("layer", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(nc_write_full(fd, nc_buf_text(tar), tar->len), 0);
	lseek(fd, 0, SEEK_SET);
	int code = nacre_node_create(store, fd, options, ret_id, &err);
	close(fd);
	return code;
}

/* The bytes that Docker 1.8 wrote for the same image. */
static void the_description_is_that_of_2015(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf expected = NC_BUF_INIT(8192);
	char id[65], child[65];
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	struct nacre_create_options options = {
		.size = sizeof options, .created = 1437449534, .created_nsec = 123456789, .os = "linux",
		.architecture = "amd64", .comment = "a <b> & \"c\"\n", .author = "me",
	};
	assert_int_equal(try_create(fixture->store, &tar, &options, id), 0);
	char *text = read_text(fixture, id, "json");
	assert_done(nc_buf_addf(&expected, &err, "{\"id\":\"%s\",\"comment\":\"a \\u003cb\\u003e \\u0026 \\\"c\\\"\\n\","
		"\"created\":\"2015-07-21T03:32:14.123456789Z\",\"container_config\":{\"Hostname\":\"\","
		"\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,"
		"\"ExposedPorts\":null,\"PublishService\":\"\",\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,"
		"\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"VolumeDriver\":\"\",\"WorkingDir\":\"\","
		"\"Entrypoint\":null,\"NetworkDisabled\":false,\"MacAddress\":\"\",\"OnBuild\":null,\"Labels\":null},"
		"\"docker_version\":\"nacre %s\",\"author\":\"me\",\"architecture\":\"amd64\",\"os\":\"linux\","
		"\"Size\":5}\n", id, nacre_version()));
	assert_string_equal(text, nc_buf_text(&expected));
	free(text);
	text = read_text(fixture, id, "layersize");
	assert_string_equal(text, "5");
	free(text);
	/* on top of it, of a container */
	char container[65];
	memset(container, 'c', 64);
	container[64] = '\0';
	options.parent = id;
	options.container = container;
	options.container_config = "{ \"Cmd\": [\"/bin/sh\", \"-c\", \"touch x\"], \"Later\": 1 }";
	options.config = "{\"Cmd\":\"run\",\"Labels\":{\"b\":\"2\",\"a\":\"1\"}}";
	assert_int_equal(try_create(fixture->store, NULL, &options, child), 0);
	text = read_text(fixture, child, "json");
	assert_non_null(strstr(text, "\"Cmd\":[\"/bin/sh\",\"-c\",\"touch x\"],"));
	assert_non_null(strstr(text, "\"config\":{\"Hostname\":\"\","));
	assert_non_null(strstr(text, "\"Cmd\":[\"run\"],"));
	assert_non_null(strstr(text, "\"Labels\":{\"a\":\"1\",\"b\":\"2\"}"));
	assert_non_null(strstr(text, "\"Size\":0}\n"));
	assert_null(strstr(text, "Later"));
	free(text);
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, child, &node, &err));
	assert_string_equal(node.parent, id);
	assert_true(node.v1 && !node.has_layer);
	assert_catalog_true(fixture);
}

static void every_creation_is_another_node(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char one[65], two[65];
	struct nacre_image_list *list = NULL;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	assert_int_equal(try_create(fixture->store, &tar, NULL, one), 0);
	assert_int_equal(try_create(fixture->store, &tar, NULL, two), 0);
	assert_true(nc_id_valid(one) && nc_id_valid(two));
	assert_string_not_equal(one, two);
	assert_done(nacre_layer_verify(fixture->store, one, &err));
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->count, 2);
	assert_true(list->images[0]->v1 && list->images[0]->created > 1700000000);
	nacre_image_list_free(list);
}

static void what_cannot_be_created_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	static const char container[] = HEX64;
	static const struct nacre_create_options bad[] = {
		{ .size = sizeof *bad, .container = container },
		{ .size = sizeof *bad, .container = "short", .container_config = "{}" },
		{ .size = sizeof *bad, .parent = ".." },
		{ .size = sizeof *bad, .created_nsec = 1000000000 },
		{ .size = sizeof *bad, .comment = "\xff" },
		{ .size = sizeof *bad, .parent = container },
		{ .size = sizeof *bad, .config = "" },
		{ .size = sizeof *bad, .config = "[]" },
		{ .size = sizeof *bad, .config = "{\"Cmd\":5}" },
		{ .size = sizeof *bad, .config = "{} {}" },
		{ .size = sizeof *bad, .container_config = "null" },
	};
	static const int codes[] = { NACRE_E_INVALID, NACRE_E_INVALID, NACRE_E_INVALID, NACRE_E_INVALID,
				     NACRE_E_INVALID, NACRE_E_NOTFOUND, NACRE_E_BADDATA, NACRE_E_BADDATA,
				     NACRE_E_BADDATA, NACRE_E_BADDATA, NACRE_E_BADDATA };
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf junk = NC_BUF_INIT(100);
	char id[65] = "untouched";
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	assert_done(nc_buf_add_text(&junk, "neither a tar nor anything compressed", &err));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(try_create(fixture->store, &tar, &bad[i], id), codes[i]);
	assert_int_equal(try_create(fixture->store, &junk, NULL, id), NACRE_E_BADDATA);
	assert_string_equal(id, "untouched");
	assert_int_equal(entries(fixture, "graph"), 1);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(entries(fixture, "vfs/dir"), 0);
}

static void random_ids_do_not_look_like_numbers(void **state)
{
	char id[65], last[65] = "";
	for (int i = 0; i < 5000; i++) {
		assert_done(nc_id_random(id, &err));
		assert_true(nc_id_valid(id));
		assert_false(nc_id_like_number(id));
		assert_string_not_equal(id, last);
		strcpy(last, id);
	}
	assert_true(nc_id_like_number("012345678901" "abcdef"));
	assert_false(nc_id_like_number("01234567890a" "000000"));
	assert_false(nc_id_like_number("a12345678901" "000000"));
}

/* --- a layer as a file ------------------------------------------------------------------------------------------ */

struct heard {
	int starts, dones, steps;
	uint64_t last, total;
	bool told_well;
	volatile int cancel;
};

static void hear(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current, uint64_t total)
{
	struct heard *heard = ctx;
	heard->starts += event == NACRE_EVENT_START;
	heard->dones += event == NACRE_EVENT_DONE;
	heard->steps += event == NACRE_EVENT_BYTES;
	heard->told_well = strlen(id) == 12 && strcmp(what, "Buffering to disk") == 0 && current <= total;
	heard->last = current;
	heard->total = total;
}

static int open_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void a_layer_is_spooled(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char id[65];
	make_tar(&tar, (const char *const[]){ "a", "first", "d/", "", NULL });
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, id), 0);
	for (int readonly = 0; readonly < 2; readonly++) {
		struct heard heard = { 0 };
		struct nacre_progress progress = { .event = hear, .ctx = &heard, .cancel = &heard.cancel };
		int fd = -1, before = open_descriptors();
		uint64_t size;
		char bytes[16384];
		assert_done(nacre_layer_spool(fixture->store, id, &progress, &fd, &size, &err));
		assert_int_equal(size, tar.len);
		assert_int_equal(nc_read_full(fd, bytes, sizeof bytes), tar.len);
		assert_memory_equal(bytes, tar.data, tar.len);
		assert_int_equal(read(fd, bytes, 1), 0);	/* and at its end again */
		assert_int_equal(read(fd, bytes, 1), 0);
		struct stat st;
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_nlink, 0);
		close(fd);
		assert_int_equal(open_descriptors(), before);
		assert_true(heard.told_well && heard.starts == 1 && heard.dones == 1);
		assert_int_equal(heard.last, tar.len);
		heard.cancel = 1;
		fd = -7;
		assert_int_equal(nacre_layer_spool(fixture->store, id, &progress, &fd, &size, &err), NACRE_E_CANCELLED);
		assert_int_equal(fd, -7);
		assert_int_equal(open_descriptors(), before);
		assert_int_equal(entries(fixture, "graph/_tmp"), 0);
		nacre_store_close(fixture->store);
		fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	}
}

static void a_damaged_layer_is_not_spooled(void **state)
{
	struct fixture *fixture = *state;
	char id[65], path[512];
	int fd = -7, before;
	uint64_t size = 99;
	register_files(fixture, NULL, (const char *const[]){ "a", "first", "b", "second", NULL }, id);
	snprintf(path, sizeof path, "%s/vfs/dir/%s/b", fixture->root, id);
	int file = open(path, O_WRONLY);
	assert_int_equal(write(file, "S", 1), 1);
	close(file);
	before = open_descriptors();
	assert_int_equal(nacre_layer_spool(fixture->store, id, NULL, &fd, &size, &err), NACRE_E_CORRUPT);
	assert_int_equal(fd, -7);
	assert_int_equal(size, 99);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
}

static void files_of_a_node_have_a_path(void **state)
{
	struct fixture *fixture = *state;
	char id[65], bare[65], file[1024];
	NC_AUTO_FREE char *path = NULL, *same = NULL;
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	assert_done(nacre_node_path(fixture->store, id, &path, &err));
	snprintf(file, sizeof file, "%s/a", path);
	assert_int_equal(path[0], '/');
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(try_create(fixture->store, NULL, &(struct nacre_create_options){
		.size = sizeof(struct nacre_create_options), .parent = id }, bare), 0);
	assert_done(nacre_node_path(fixture->store, bare, &same, &err));
	assert_string_equal(path, same);
	assert_int_equal(try_create(fixture->store, NULL, NULL, bare), 0);
	assert_int_equal(nacre_node_path(fixture->store, bare, &same, &err), NACRE_E_UNSUPPORTED);
	assert_int_equal(nacre_node_path(fixture->store, "..", &same, &err), NACRE_E_INVALID);
	char root[300];
	snprintf(root, sizeof root, "%s/memory", fixture->dir);
	struct nacre_store *memory = open_with(root, 0, "memory");
	NC_AUTO_BUF struct nc_buf tar;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	assert_int_equal(register_bytes(memory, NULL, tar.data, tar.len, id), 0);
	assert_int_equal(nacre_node_path(memory, id, &same, &err), NACRE_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "memory"));
	nacre_store_close(memory);
}

/* --- gzip ------------------------------------------------------------------------------------------------------- */

static int make_file(const void *bytes, size_t len)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(nc_write_full(fd, bytes, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void gzip_tells_what_it_wrote(void **state)
{
	static const size_t lengths[] = { 0, 1, 100000, 3000000 };
	char *plain = calloc(1, 3000000), first[NACRE_DIGEST_MAX] = "";
	assert_non_null(plain);
	for (size_t i = 0; i < 3000000; i++)
		plain[i] = (char)(i * i >> 7);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		for (int again = 0; again < 2; again++) {
			NC_AUTO_FD int in = make_file(plain, lengths[i]);
			NC_AUTO_FD int out = make_file("", 0);
			char digest[NACRE_DIGEST_MAX], text[NC_DIGEST_TEXT];
			uint64_t size = 0;
			struct stat st;
			assert_done(nacre_gzip(in, out, NULL, &size, digest, &err));
			assert_int_equal(fstat(out, &st), 0);
			assert_int_equal(st.st_size, size);
			NC_AUTO_FREE char *packed = malloc(size);
			assert_int_equal(nc_pread_full(out, packed, size, 0), size);
			struct nc_digest right;
			assert_done(nc_digest_of(packed, size, &right, &err));
			assert_string_equal(digest, nc_digest_text(&right, text));
			if (again)
				assert_string_equal(digest, first);
			strcpy(first, digest);
			struct nc_reader *reader = NULL;
			NC_AUTO_FREE char *back = NULL;
			size_t len;
			assert_done(nc_reader_memory(packed, size, &reader, &err));
			assert_done(nc_reader_decoded(reader, NULL, &reader, &err));
			assert_done(nc_reader_slurp(reader, 4000000, &back, &len, &err));
			nc_reader_close(reader);
			assert_int_equal(len, lengths[i]);
			assert_memory_equal(back, plain, len);
		}
	}
	free(plain);
}

static void a_full_disk_under_gzip_is_told(void **state)
{
	NC_AUTO_FD int out = open("/dev/full", O_WRONLY | O_CLOEXEC);
	char digest[NACRE_DIGEST_MAX] = "untouched";
	uint64_t size = 7;
	/* so little that only the last flush writes */
	NC_AUTO_FD int in = make_file("x", 1);
	assert_int_equal(nacre_gzip(in, out, NULL, &size, digest, &err), NACRE_E_NOSPACE);
	assert_string_equal(digest, "untouched");
	assert_int_equal(size, 7);
	assert_true(nacre_gzip(-1, out, NULL, NULL, NULL, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_digest_is_set_and_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_digest_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_missing_size_is_found_and_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_record_the_tree_tells, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_store_that_is_only_read_tells_sizes_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(somebody_at_the_node_only_hinders_remembering, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_description_is_that_of_2015, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_creation_is_another_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_created_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_ids_do_not_look_like_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_layer_is_spooled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_layer_is_not_spooled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_of_a_node_have_a_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gzip_tells_what_it_wrote, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_under_gzip_is_told, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
