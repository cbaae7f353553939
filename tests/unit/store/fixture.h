/* A throw-away store, layers out of a few words, and images of them. */
#ifndef NC_TESTS_STORE_FIXTURE_H
#define NC_TESTS_STORE_FIXTURE_H

#include "../unit.h"

#include "base/buf.h"
#include "image/config.h"
#include "io/fd.h"
#include "io/path.h"
#include "store/inner.h"
#include "tar/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* vfs works everywhere; tests of the store need no better one. */
#define TEST_DRIVER "vfs"

struct fixture {
	char dir[64];			/* removed with everything in it */
	char root[200];
	struct nacre_store *store;
	bool syncs;			/* test_crash: children open the store with syncs */
};

static struct nacre_error err;

static inline struct nacre_store *open_with(const char *root, unsigned flags, const char *driver)
{
	struct nacre_open_options options = { .size = sizeof options, .flags = flags, .driver = driver };
	struct nacre_store *store = NULL;
	assert_done(nacre_store_open(root, &options, &store, &err));
	return store;
}

static inline void reopen(struct fixture *fixture)
{
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, 0, NULL);
}

static inline int set_up_in(void **state, const char *parent)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	snprintf(fixture->dir, sizeof fixture->dir, "%s/nacre-store-XXXXXX", parent);
	if (!mkdtemp(fixture->dir))
		return -1;
	snprintf(fixture->root, sizeof fixture->root, "%s/store", fixture->dir);
	fixture->store = open_with(fixture->root, 0, TEST_DRIVER);
	*state = fixture;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_in(state, "/tmp");
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;
	nacre_store_close(fixture->store);
	char *name = strrchr(fixture->dir, '/');
	*name++ = '\0';
	int parent = open(fixture->dir, O_RDONLY | O_DIRECTORY);
	int code = nc_tree_remove(parent, name, &err);
	close(parent);
	free(fixture);
	return code;
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

static inline void add_file(struct nc_tar_writer *tar, const char *name, const char *text)
{
	size_t len = strlen(text);
	bool dir = name[strlen(name) - 1] == '/';
	struct nc_entry entry = { .type = dir ? NC_ENTRY_DIR : NC_ENTRY_FILE, .name = name, .name_len = strlen(name),
				  .link = "", .mode = dir ? 0755 : 0644, .uid = geteuid(), .gid = getegid(),
				  .size = len, .stored = len, .mtime = { 1700000000, 0 } };
	assert_done(nc_tar_writer_entry(tar, &entry, &err));
	assert_done(nc_tar_writer_data(tar, text, len, &err));
}

/* Pairs of name and content, ended by NULL. */
static inline void make_tar(struct nc_buf *ret, const char *const *pairs)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tar_writer_auto) struct nc_tar_writer *tar = NULL;
	*ret = (struct nc_buf)NC_BUF_INIT((size_t)64 << 20);
	assert_done(nc_writer_buf(ret, &out, &err));
	assert_done(nc_tar_writer_new(out, &tar, &err));
	for (; *pairs; pairs += 2)
		add_file(tar, pairs[0], pairs[1]);
	assert_done(nc_tar_writer_finish(tar, &err));
}

static inline void gzip(const struct nc_buf *plain, struct nc_buf *ret)
{
	struct nc_writer *out = NULL;
	*ret = (struct nc_buf)NC_BUF_INIT((size_t)64 << 20);
	assert_done(nc_writer_buf(ret, &out, &err));
	assert_done(nc_writer_encoded(out, NC_GZIP, 0, &out, &err));
	assert_done(nc_writer_write(out, plain->data, plain->len, &err));
	assert_done(nc_writer_finish(out, &err));
	nc_writer_close(out);
}

static inline struct nc_digest digest_of(const struct nc_buf *bytes)
{
	struct nc_digest digest;
	assert_done(nc_digest_of(nc_buf_text(bytes), bytes->len, &digest, &err));
	return digest;
}

static inline int bring(struct nc_ingest *ingest, const struct nc_layer_in *in, const struct nc_buf *blob,
			struct nc_layer_out *ret)
{
	struct nc_reader *reader = NULL;
	assert_done(nc_reader_memory(nc_buf_text(blob), blob->len, &reader, &err));
	return nc_ingest_layer(ingest, in, reader, ret, &err);
}

/* Registers bytes as a layer by way of the public function; the result is its code. */
static inline int register_bytes(struct nacre_store *store, const struct nacre_register_options *options,
				 const void *bytes, size_t len, char *ret_id)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);
	assert_true(fd >= 0);
	int code = nc_write_full(fd, bytes, len) ? NACRE_E_IO : 0;
	lseek(fd, 0, SEEK_SET);
	if (code == 0)
		code = nacre_register(store, fd, options, ret_id, &err);
	close(fd);
	return code;
}

/* --- images ----------------------------------------------------------------------------------------------------- */

static inline void make_config(const struct nc_digest *diff_ids, size_t count, const char *author, char **ret,
			       size_t *ret_len)
{
	struct nc_config_new facts = { .architecture = "amd64", .os = "linux", .author = author,
				       .created_sec = 1700000000, .diff_ids = diff_ids, .diff_id_count = count };
	assert_done(nc_config_make(&facts, ret, ret_len, &err));
}

static inline void manifest_of(struct nc_buf *ret, const char *config, size_t config_len, const struct nc_buf *blobs, size_t count)
{
	struct nc_digest digest;
	char text[NC_DIGEST_TEXT];
	*ret = (struct nc_buf)NC_BUF_INIT(1 << 16);
	assert_done(nc_digest_of(config, config_len, &digest, &err));
	assert_done(nc_buf_addf(
		ret, &err,
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":"
		"{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
		nc_digest_text(&digest, text), config_len));
	for (size_t i = 0; i < count; i++) {
		digest = digest_of(&blobs[i]);
		assert_done(nc_buf_addf(ret, &err,
					"%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\","
					"\"size\":%zu}",
					i ? "," : "", nc_digest_text(&digest, text), blobs[i].len));
	}
	assert_done(nc_buf_add_text(ret, "]}", &err));
}

/* An image of layers, each with one file; author makes configs differ. complete: with its blobs, a manifest and an index. ret_id has
 * room for NC_HEX_ID. */
static inline int try_image_with(struct nacre_store *store, const char *const *words, const char *author,
				 const char *const *names, bool complete, char *ret_id)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_digest diff_ids[16];
	struct nc_buf blobs[16];
	char parent[NC_HEX_ID] = "";
	size_t count = 0;
	int code = nc_ingest_begin(store, &ingest, &err);
	for (; code >= 0 && words[count]; count++) {
		NC_AUTO_BUF struct nc_buf tar;
		char id[NC_HEX_ID];
		char name[300];
		struct nc_layer_out out;
		snprintf(name, sizeof name, "file-%s", words[count]);
		make_tar(&tar, (const char *const[]){ name, words[count], NULL });
		diff_ids[count] = digest_of(&tar);
		assert_done(nc_node_chain_id(parent, &diff_ids[count], id, &err));
		blobs[count] = (struct nc_buf){ 0 };
		if (complete)
			gzip(&tar, &blobs[count]);
		struct nc_layer_in in = { .parent = parent, .diff_id = &diff_ids[count], .blob_size = UINT64_MAX,
					  .keep_blob = complete };
		code = nc_ingest_has(ingest, id, &err);
		if (code == 0)
			code = bring(ingest, &in, complete ? &blobs[count] : &tar, &out);
		memcpy(parent, id, NC_HEX_ID);
	}
	NC_AUTO_FREE char *config = NULL;
	NC_AUTO_BUF struct nc_buf manifest = { 0 };
	struct nc_image_in in = { .names = names };
	if (code >= 0)
		make_config(diff_ids, count, author, &config, &in.config_len);
	in.config = config;
	if (code >= 0 && complete) {
		manifest_of(&manifest, config, in.config_len, blobs, count);
		in.manifest_media_type = "application/vnd.oci.image.manifest.v1+json";
		in.manifest = manifest.data;
		in.manifest_len = manifest.len;
		in.index = "{\"schemaVersion\":2,\"manifests\":[]}";
		in.index_len = strlen(in.index);
	}
	for (size_t i = 0; i < count; i++)
		nc_buf_release(&blobs[i]);
	if (code >= 0)
		code = nc_ingest_image(ingest, &in, ret_id, &err);
	return code < 0 ? code : nc_ingest_commit(ingest, &err);
}

static inline int try_image(struct nacre_store *store, const char *const *words, const char *author,
			    const char *const *names, char *ret_id)
{
	return try_image_with(store, words, author, names, false, ret_id);
}

static inline void make_image(struct nacre_store *store, const char *const *words, const char *name, char *ret_id)
{
	assert_done(try_image(store, words, "tester", (const char *const[]){ name, NULL }, ret_id));
}

/* An image of the ingest keeps what an index names; texts (ends with NULL): those blobs. */
static inline int try_whole(struct nc_ingest *ingest, const char *id, const char *index, const char *const *texts)
{
	struct nc_blob_ref blobs[8];
	struct nc_digest digest;
	size_t count = 0;
	int code = nc_digest_of(index, strlen(index), &digest, &err);
	for (; code >= 0 && texts[count]; count++) {
		struct nc_reader *reader = NULL;
		blobs[count].size = strlen(texts[count]);
		code = nc_digest_of(texts[count], blobs[count].size, &blobs[count].digest, &err);
		if (code == 0)
			code = nc_ingest_has_blob(ingest, &blobs[count].digest, &err);
		if (code == 0 && (code = nc_reader_memory(texts[count], blobs[count].size, &reader, &err)) == 0)
			code = nc_ingest_blob(ingest, &blobs[count], reader, &err);
	}
	return code < 0 ? code : nc_ingest_whole(ingest, id, &digest, blobs, count, &err);
}

/* --- what is there ---------------------------------------------------------------------------------------------- */

static inline int count_name(void *ctx, const char *name, unsigned char type, struct nacre_error *why)
{
	++*(size_t *)ctx;
	return 0;
}

/* Entries of a directory of the store; 0 when it is missing. */
static inline size_t entries(const struct fixture *fixture, const char *path)
{
	size_t count = 0;
	char full[512];
	snprintf(full, sizeof full, "%s/%s", fixture->root, path);
	int fd = open(full, O_RDONLY | O_DIRECTORY);
	if (fd >= 0) {
		assert_done(nc_dir_each(fd, count_name, &count, &err));
		close(fd);
	}
	return count;
}

/* Lines of a text, which is the context. */
static inline int add_name_line(void *ctx, const char *full, const struct nc_name_target *target, struct nacre_error *why)
{
	return nc_buf_addf(ctx, why, "name %s %s\n", full, target->id);
}

static inline int add_hold_line(void *ctx, const struct nacre_hold_info *info)
{
	for (const char *const *id = info->ids; *id; id++)
		assert_done(nc_buf_addf(ctx, &err, "hold %s %s\n", info->session, *id));
	return 0;
}

static inline int copy_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *why)
{
	const int *dirs = ctx;
	NC_AUTO_FD int from = -1, to = -1;
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	struct stat st;
	if (type == DT_DIR) {
		assert_done(nc_dir_open(dirs[0], name, &from, why));
		assert_done(nc_dir_ensure(dirs[1], name, &to, why));
		assert_done(nc_dir_each(from, copy_entry, (int[]){ from, to }, why));
	} else {
		assert_done(nc_file_read(dirs[0], name, 1 << 24, &bytes, &len, why));
		assert_done(nc_file_create(dirs[1], name, bytes, len, why));
	}
	assert_int_equal(fstatat(dirs[0], name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(utimensat(dirs[1], name, (struct timespec[]){ st.st_atim, st.st_mtim }, AT_SYMLINK_NOFOLLOW), 0);
	return 0;
}

/* The directory to, beside the store, becomes as from, with its dates. */
static inline void copy(const struct fixture *fixture, const char *from, const char *to)
{
	NC_AUTO_FD int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	NC_AUTO_FD int source = -1, copied = -1;
	assert_done(nc_tree_remove(dir, to, &err));
	assert_done(nc_dir_open(dir, from, &source, &err));
	assert_done(nc_dir_ensure(dir, to, &copied, &err));
	assert_done(nc_dir_each(source, copy_entry, (int[]){ source, copied }, &err));
}

/* Everything that the catalog of a closed store says, as text (free()). */
static inline char *dump_catalog(const struct fixture *fixture)
{
	static const char *const tables[] = { "node", "name", "document", "blob", "member", "users" };
	char path[256];
	sqlite3 *db = NULL;
	struct nc_buf text = NC_BUF_INIT((size_t)64 << 20);
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL), SQLITE_OK);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		sqlite3_stmt *statement = NULL;
		char query[64];
		snprintf(query, sizeof query, "SELECT * FROM %s ORDER BY 1, 2", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
		while (sqlite3_step(statement) == SQLITE_ROW) {
			assert_done(nc_buf_add_text(&text, tables[i], &err));
			for (int c = 0; c < sqlite3_column_count(statement); c++)
				assert_done(nc_buf_addf(&text, &err, " %s", sqlite3_column_text(statement, c)));
			assert_done(nc_buf_add_text(&text, "\n", &err));
		}
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
	return nc_buf_give(&text);
}

/* The catalog says what one built anew from the files says. The store is opened again. */
static inline void assert_catalog_true(struct fixture *fixture)
{
	char path[256];
	nacre_store_close(fixture->store);
	fixture->store = NULL;
	char *kept = dump_catalog(fixture);
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_int_equal(unlink(path), 0);
	reopen(fixture);
	nacre_store_close(NC_GIVE(fixture->store));
	char *built = dump_catalog(fixture);
	assert_string_equal(kept, built);
	free(kept);
	free(built);
	reopen(fixture);
}

static inline bool there(const struct fixture *fixture, const char *path)
{
	struct stat st;
	char full[512];
	snprintf(full, sizeof full, "%s/%s", fixture->root, path);
	return lstat(full, &st) == 0;
}

#endif
